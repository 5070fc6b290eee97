//! From the command line's path to a checked configuration, or to everything that is wrong with it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Config;
use super::environment::Environment;
use super::globals::{Whereabouts, document};
use super::layers::{Layers, VARIABLE_OF_FILE};
use super::node::{Origin, Table};
use super::problem::{ConfigErrors, Problem};
use super::section::{Context, Notes, Section};

/// Where the file is looked for when nobody names one, in this order.
const USUAL_FILES: [&str; 2] = ["config.toml", "/etc/pregonero/config.toml"];

/// A checked configuration and what goes with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is wanted.
    pub config: Config,
    /// What an operator should know although it works; for the log, once.
    pub warnings: Vec<String>,
    /// The main file; `None` when there is none and the defaults rule.
    pub file: Option<PathBuf>,
}

/// Reads and checks the configuration: `path` (of `--config`), else `$PREGONERO_CONFIG`, else `./config.toml`, else
/// `/etc/pregonero/config.toml`, else the defaults alone; `conf.d/*.toml` beside the file and `PREGONERO_…` on top.
///
/// Blocks on the file system; call it before or beside the runtime.
///
/// # Errors
/// Everything that is wrong, at once. No value of a secret is in it.
pub fn load(path: Option<&Path>) -> Result<Loaded, ConfigErrors> {
    load_in(path, &Environment::of_process())
}

/// [`load`] in an environment that is handed over.
///
/// # Errors
/// As [`load`].
pub fn load_in(path: Option<&Path>, environment: &Environment) -> Result<Loaded, ConfigErrors> {
    let named = path.map(Path::to_path_buf).or_else(|| environment.get(VARIABLE_OF_FILE).map(PathBuf::from));
    let file = named.or_else(|| USUAL_FILES.iter().map(PathBuf::from).find(|usual| usual.exists()));
    let folder = file.as_deref().and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
    let mut layers = Layers::defaults();
    if let Some(file) = &file {
        layers = layers.with_file(file).with_folder(&folder.join("conf.d"));
    }
    let layers = layers.with_environment(environment);
    let (config, notes) = read(&layers, environment, folder, file.as_deref());
    let mut problems = layers.problems;
    problems.extend(notes.problems);
    let mut warnings = notes.warnings;
    warnings.extend(readable_secrets(&notes.plain));
    finish(config, problems).map(|config| Loaded { config, warnings, file })
}

/// Reads and checks a text over the defaults, for tests and for the demonstration: no file, no `PREGONERO_…` layer.
/// Secrets may still name variables and files; relative paths start from the working folder.
///
/// # Errors
/// Everything that is wrong, at once. No value of a secret is in it.
pub fn from_toml(text: &str) -> Result<Config, ConfigErrors> {
    let layers = Layers::defaults().with_text(text, &Origin::Given);
    let (config, notes) = read(&layers, &Environment::of_process(), PathBuf::new(), None);
    let mut problems = layers.problems;
    problems.extend(notes.problems);
    finish(config, problems)
}

fn read(layers: &Layers, environment: &Environment, base: PathBuf, file: Option<&Path>) -> (Option<Config>, Notes) {
    let table: Table = layers.table();
    let context = Context { environment, base, notes: Notes::default().into() };
    let config = document(&Section::root(&context, &table), &whereabouts(environment, file)).ok();
    (config, context.notes.into_inner())
}

fn finish(config: Option<Config>, mut problems: Vec<Problem>) -> Result<Config, ConfigErrors> {
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => {
            if problems.is_empty() {
                // A reader gave up without a word: a defect of ours, but never a silent one.
                problems.push(Problem {
                    key: String::new(),
                    file: "the configuration".to_owned(),
                    place: None,
                    what: "it cannot be read".to_owned(),
                    remedy: "please report this".to_owned(),
                });
            }
            Err(ConfigErrors(problems))
        }
    }
}

/// So many keys are named in one warning: ten thousand accounts must not make a line of ten thousand names.
const NAMED: usize = 5;

/// The machine's name, and the file's absolute path as a number.
fn whereabouts(environment: &Environment, file: Option<&Path>) -> Whereabouts {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    let host = kernel.filter(|name| !name.is_empty()).or_else(|| environment.get("HOSTNAME").map(str::to_owned));
    let path = std::path::absolute(file.unwrap_or(Path::new("."))).unwrap_or_default();
    let hash = xxhash_rust::xxh3::xxh3_64(path.as_os_str().as_encoded_bytes());
    Whereabouts { host: host.unwrap_or_else(|| "localhost".to_owned()), file: format!("{hash:016x}") }
}

/// One warning for each file that has secrets in plain text and that everybody on the machine can read.
fn readable_secrets(plain: &[(Origin, String)]) -> Vec<String> {
    let mut by_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (origin, key) in plain {
        if let Origin::File(name) = origin {
            by_file.entry(name).or_default().push(key);
        }
    }
    let everybodys =
        |name: &str| std::fs::metadata(name).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0);
    let open = by_file.into_iter().filter(|(name, _)| everybodys(name));
    open.map(|(name, keys)| {
        let more = keys.len().saturating_sub(NAMED);
        let mut keys = keys.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        if more > 0 {
            keys = format!("{keys} and {more} more");
        }
        format!("{name} can be read by everybody and holds secrets in plain text ({keys}); `chmod o-r` it, or use `{{ file = … }}`")
    })
    .collect()
}

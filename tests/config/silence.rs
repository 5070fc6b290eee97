//! No error and no `Debug` shows a secret; no text makes the readers panic.

use pregonero::config::from_toml;
use proptest::prelude::*;

use super::example::{example_lines, joined};
use super::{Place, WHSEC, refused, shape};

/// Wrong forms of a secret; in each of them the marker is what must not be seen.
const WRONG_SECRETS: [&str; 14] = [
    "MARKER",
    "\"MARKER",
    "'MARKER",
    "\"\"\"MARKER",
    "\"MARKER\\q\"",
    "\"MARKER\\n\"",
    "\"MARKER\" \"x\"",
    "[\"MARKER\"]",
    "[[\"MARKER\"]]",
    "{ value = \"MARKER\" }",
    "{ env = \"X\", file = \"MARKER\" }",
    "{ env = [\"MARKER\"] }",
    "\"whsec_MARKER\"",
    "\"MARKER:MARKER\"",
];

#[test]
fn no_error_shows_a_secret() {
    const MARKER: &str = "hunter2000correct9horse";
    let sections = [
        ("[http]\nlisten = \"x\"\ntoken = ", ""),
        ("[store]\nprefix = \"{}\"\nurl = ", ""),
        ("[[telepagos]]\nname = \"a\"\npassword = ", ""),
        ("[[sipago]]\nname = \"a\"\napi_key = ", ""),
        ("[[webhook]]\nname = \"a\"\nsecret = ", ""),
        ("[[webhook]]\nname = \"a\"\nurl = ", ""),
        ("[[webhook]]\nname = \"a\"\nheaders = { Authorization = ", " }"),
        ("[smtp]\nfrom = \"x\"\npassword = ", ""),
        ("[[telegram]]\nname = \"a\"\ntoken = ", ""),
        ("[[telegram]]\nname = \"a\"\ntokn = ", ""),
    ];
    for (before, after) in sections {
        for wrong in WRONG_SECRETS {
            let text = format!("{before}{}{after}\n", wrong.replace("MARKER", MARKER));
            let errors = Place::with(&text).try_load().map_or_else(|errors| errors, |loaded| shape(&loaded.config));
            assert!(!errors.contains(MARKER), "{text}\n{errors}");
        }
        let number = format!("{before}8277465{after}\n");
        assert!(!refused(&number).contains("8277465"), "{number}");
    }
    for url in ["smtps://u:MARKER@x y", "smtp://u:MARKER@x.example", "MARKER", "https://MARKER"] {
        let errors = refused(&format!("[smtp]\nfrom = \"x\"\nurl = \"{}\"\n", url.replace("MARKER", MARKER)));
        assert!(!errors.contains(MARKER), "{errors}");
    }
    for url in ["redis://:MARKER@", "redis://:MARKER@x y/0", "rediss+foo://MARKER", "MARKER"] {
        let errors = refused(&format!("[store]\nurl = \"{}\"\n", url.replace("MARKER", MARKER)));
        assert!(!errors.contains(MARKER), "{errors}");
    }
    for variable in
        ["PREGONERO_HTTP__TOKEN__ENV__X", "PREGONERO_HTTP__TOKEN__X", "PREGONERO_HTTP", "PREGONERO_HTPP__TOKEN"]
    {
        let errors = Place::with("").and(variable, MARKER).refused();
        assert!(!errors.contains(MARKER), "{errors}");
    }
}

#[test]
fn debug_of_a_configuration_shows_no_secret() {
    let config = Place::with(&joined(example_lines().iter())).load().config;
    let text = shape(&config);
    for secret in [
        "file-secret",
        "smtp-secret",
        "credential-secret",
        "console-secret",
        "sipago-secret",
        WHSEC,
        "/pagos",
        "Bearer",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// One of the example's lines, with something else behind the `=`.
fn mangled() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "\\PC{0,20}",
        "\"\\PC{0,20}\"",
        "-?[0-9]{1,40}(\\.[0-9]{1,5})?",
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("true".to_owned()),
        "\\[\"[a-z0-9:/.@%-]{0,12}\", [0-9]{1,3}\\]",
        "\"(https?|smtps?|redis|file|redis\\+sentinel)://[a-z0-9:/.@%\\[\\]-]{0,20}\"",
        "\\{ (env|file|credential|x) = \"[a-zA-Z./]{0,8}\" \\}",
    ];
    let lines = example_lines().into_iter().map(|line| line.text).collect::<Vec<_>>();
    proptest::collection::vec((any::<prop::sample::Index>(), value), 0..6).prop_map(move |changes| {
        let mut lines = lines.clone();
        for (index, value) in changes {
            let line = index.get_mut(&mut lines);
            if let Some((key, _)) = line.clone().split_once(" = ") {
                *line = format!("{key} = {value}");
            }
        }
        lines.join("\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "(\\PC|\n){0,200}") {
        if let Err(errors) = from_toml(&text) {
            prop_assert!(!errors.0.is_empty());
        }
    }

    #[test]
    fn no_mangled_example_panics_and_every_refusal_says_what_and_where(text in mangled()) {
        if let Err(errors) = from_toml(&text) {
            prop_assert!(!errors.0.is_empty());
            for problem in errors.0 {
                prop_assert!(!problem.what.is_empty() && !problem.remedy.is_empty() && !problem.file.is_empty());
                prop_assert_eq!(problem.to_string().lines().count(), 1);
                prop_assert!(!problem.remedy.contains("report this"), "a reader gave up without a word");
            }
        }
    }
}

//! `pregonero completions SHELL`

use clap::CommandFactory as _;
use clap_complete::Shell;

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "pregonero", &mut text);
    super::Out::new().line(String::from_utf8(text)?.trim_end())
}

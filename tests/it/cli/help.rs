//! Help, completions and the version: what is read first.

use super::Place;

/// Every command that there is; a new one must be added here, or [`every_command_has_its_help_written_down`] fails.
const COMMANDS: [&str; 52] = [
    "",
    "run",
    "demo",
    "check",
    "events",
    "events list",
    "events show",
    "deliveries",
    "deliveries list",
    "deliveries requeue",
    "release",
    "report",
    "report day",
    "watch",
    "watch add",
    "watch list",
    "watch remove",
    "send-test",
    "probe",
    "sipago",
    "sipago movements",
    "sipago code",
    "sipago link",
    "sipago link show",
    "sipago link create",
    "sipago qr",
    "sipago deposits",
    "store",
    "store copy",
    "telepagos",
    "telepagos balance",
    "telepagos concepts",
    "telepagos filters",
    "telepagos transactions",
    "telepagos cashin",
    "telepagos link",
    "telepagos link create",
    "telepagos qr",
    "telepagos qr create",
    "telepagos transfer-link",
    "telepagos transfer-link create",
    "telepagos sale-point",
    "telepagos sale-point list",
    "telepagos sale-point create",
    "telepagos sale-point delete",
    "telepagos static-qr",
    "telepagos order",
    "telepagos cashout",
    "telepagos voucher",
    "telepagos stats",
    "sandbox",
    "completions",
];

fn help(command: &str) -> String {
    Place::bare().run(&format!("{command} --help")).done().to_owned()
}

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let first_word = |line: &str| line.split_whitespace().next().map(str::to_owned);
    commands.filter(|line| !line.starts_with("    ")).filter_map(first_word).collect()
}

#[test]
fn every_command_has_its_help_written_down() {
    for command in COMMANDS {
        let text = help(command);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "too wide: {text}");
        let name = if command.is_empty() { String::from("pregonero") } else { command.replace(' ', "-") };
        insta::with_settings!({ snapshot_path => "../snapshots/help", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, text);
        });
        for inner in listed(&text) {
            let inner = format!("{command} {inner}");
            assert!(COMMANDS.contains(&inner.trim()), "`{}` is not in the list of this test", inner.trim());
        }
    }
}

#[test]
fn help_and_version_are_data_and_no_error() {
    let place = Place::bare();
    assert_eq!(place.run("--version").done(), concat!("pregonero ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(place.run("-h").done().contains("Usage: pregonero"));
}

#[test]
fn completions_are_printed_for_every_shell_and_know_every_command() {
    let place = Place::bare();
    for shell in ["bash", "zsh", "fish"] {
        let said = place.run(&format!("completions {shell}"));
        for command in COMMANDS.iter().flat_map(|command| command.split_whitespace()) {
            assert!(said.done().contains(command), "{shell} does not know `{command}`");
        }
    }
    assert!(place.run("completions tcsh").refused(2).contains("bash"));
}

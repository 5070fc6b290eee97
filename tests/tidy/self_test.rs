//! The rules are code as well: each is shown a text that breaks it.

use super::scan::{File, Function, blank, functions, paths};
use super::{broken_arrows, broken_confinements, is_test, resolved, test_only};

fn named(code: &str) -> Vec<String> {
    paths(&blank(code)).into_iter().map(|named| named.segments.join("::")).collect()
}

#[test]
fn comments_and_literals_hide_nothing_and_show_nothing() {
    let text = "let a = \"x // } \\\" y\"; // crate::b\n/* { /* nested */ } */ let c = 'x'; let d = '\\''; fn e<'a>(_: &'a str) {}\n";
    let code = blank(text);
    assert_eq!(code.len(), text.len());
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(!code.contains("crate") && !code.contains('"') && !code.contains("nested"), "{code}");
    assert!(code.contains("fn e<'a>(_: &'a str) {}"), "{code}");
    assert!(!blank("r#\"fn x() { \"quoted\" \"# b\"}\" br\"{\" 'é' '{'").contains(['{', '}', 'q']));
}

#[test]
fn use_trees_are_multiplied_out() {
    assert_eq!(
        named(
            "use crate::{a::{B, c::D}, e};\nuse std::fmt::Write as _;\nuse redis;\nlet x = ::serde::de::Y::<u8>::new();"
        ),
        ["crate::a::B", "crate::a::c::D", "crate::e", "std::fmt::Write", "redis", "serde::de::Y"]
    );
    assert_eq!(named("let s = S { a: b::C { d }, e };"), ["b::C"]);
}

#[test]
fn functions_are_measured_from_their_name_to_their_brace() {
    let code =
        "trait T { fn none(&self); }\nfn one() -> [u8; 2] { [0; 2] }\nfn three(f: fn(u8)) {\n    if x { y() }\n}\n";
    let lines = |name: &str, line, lines| Function { name: name.to_owned(), line, lines };
    assert_eq!(functions(code), [lines("one", 2, 1), lines("three", 3, 3)]);
}

#[test]
fn relative_paths_are_seen_from_the_root() {
    let file = File::new("src/sources/sipago/read.rs", "use super::super::gate::Gate;\nuse self::x::Y;\nuse std::fmt;");
    let all: Vec<_> =
        paths(&file.code).iter().map(|named| resolved(&file, named).map(|path| path.join("::"))).collect();
    assert_eq!(all, [Some("sources::gate::Gate".to_owned()), Some("sources::sipago::read::x::Y".to_owned()), None]);
    assert_eq!(File::new("src/store/mod.rs", "").module(), ["store"]);
    assert!(File::new("src/lib.rs", "").module().is_empty());
}

#[test]
fn a_forbidden_arrow_is_seen() {
    let house = |text: &str| {
        broken_arrows(&[
            File::new("src/pipeline/watcher.rs", text),
            File::new("src/pipeline/mod.rs", ""),
            File::new("src/store/mod.rs", ""),
            File::new("src/store/redis/mod.rs", ""),
            File::new("src/cli/mod.rs", ""),
        ])
    };
    assert_eq!(house("use crate::store::{Commit, Store};\nuse super::other;").len(), 0, "the door is open");
    assert_eq!(
        house("use crate::store::redis::Redis;"),
        ["src/pipeline/watcher.rs:1: `pipeline` must not use `store::redis::Redis`"]
    );
    assert_eq!(house("use crate::store;\nfn f() { store::redis::open() }").len(), 1, "through an imported module");
    assert_eq!(house("\nuse super::super::cli::Verb;").len(), 1, "upwards");
    assert_eq!(house("#[cfg(test)]\nmod tests {\n    use crate::store::redis::Redis;\n}").len(), 0, "tests may cross");
    assert_eq!(house("// use crate::cli::Verb;\nlet s = \"crate::cli::Verb\";").len(), 0, "words are no arrows");
    assert_eq!(broken_arrows(&[File::new("src/attic/mod.rs", "")]).len(), 1, "a new module needs its arrows");
}

#[test]
fn a_crate_out_of_its_place_is_seen() {
    let house = |path: &str, text: &str| broken_confinements(&[File::new(path, text)]).len();
    assert_eq!(house("src/store/redis/scripts.rs", "use redis::Script;"), 0);
    assert_eq!(house("src/store/embedded.rs", "use redis::Script;"), 1);
    assert_eq!(house("src/store/embedded.rs", "fn f(_: redis::Value) {}"), 1);
    assert_eq!(house("src/app.rs", "use crate::store::redis;\nfn f() { redis::open() }"), 0, "our own module");
    assert_eq!(house("src/config/mod.rs", "use figment::Figment;"), 1);
    assert_eq!(house("src/config/layers.rs", "use figment::Figment;"), 0);
}

#[test]
fn modules_for_tests_are_told_from_inline_ones() {
    let all = [File::new(
        "src/store/mod.rs",
        "#[cfg(test)]\npub mod conformance;\npub mod codec;\n#[cfg(test)]\nmod tests {\n}\n",
    )];
    let found: Vec<String> = test_only(&all).into_iter().collect();
    assert_eq!(found, ["store/conformance"]);
    let tests = test_only(&all);
    assert!(is_test(&File::new("src/store/conformance/leases.rs", ""), &tests), "and all that is below");
    assert!(!is_test(&File::new("src/store/codec.rs", ""), &tests));
    assert_eq!(all[0].product_code().lines().count(), 3);
}

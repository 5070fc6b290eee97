//! What a person sees who sits at a terminal, and a pipe does not.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::copies::{ACCOUNTS, EACH, filled};
use super::pings::run;
use super::telepagos::{PAYEE, house};
use super::{PATIENCE, Place};
use crate::support::until;

/// Which of a command's ends are at the terminal; the others are pipes, stdin is empty.
#[derive(Clone, Copy, Default)]
struct Ends {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

const ALL: Ends = Ends { stdin: true, stdout: true, stderr: true };

/// A command at a terminal of 100 columns.
struct Seat {
    child: Child,
    keys: File,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Seat {
    fn take(place: &Place, arguments: &str, ends: Ends) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&keys).expect("it is ours");
        unlockpt(&keys).expect("it is ours");
        let name = ptsname(&keys, Vec::new()).expect("it has a name");
        // Not to become the terminal of the tests themselves.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let screen: OwnedFd = rustix::fs::open(&name, flags, Mode::empty()).expect("its other end");
        let size = Winsize { ws_row: 60, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&screen, size).expect("its size");
        let end = |is_there: bool, otherwise: Stdio| {
            if is_there { Stdio::from(screen.try_clone().expect("a handle")) } else { otherwise }
        };
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pregonero"));
        command.current_dir(place.path("")).args(arguments.split_whitespace()).env("TERM", "xterm");
        command.env_remove("NO_COLOR").env_remove("PREGONERO_CONFIG");
        command.stdin(end(ends.stdin, Stdio::null()));
        command.stdout(end(ends.stdout, Stdio::piped())).stderr(end(ends.stderr, Stdio::piped()));
        let child = command.spawn().expect("the program starts");
        // The command holds handles too; with ours open the terminal would never be hung up.
        drop((command, screen));
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (keys, screen) = (File::from(keys), Arc::clone(&shown));
        let mut master = keys.try_clone().expect("a handle");
        let reader = std::thread::spawn(move || {
            let mut some = [0; 4096];
            // An error is the hang-up.
            while let Ok(count @ 1..) = master.read(&mut some) {
                screen.lock().expect("no panic").extend_from_slice(&some[..count]);
            }
        });
        Self { child, keys, shown, reader }
    }

    fn shows(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("no panic")).into_owned()
    }

    /// Answers once the question stands there.
    async fn answer(&mut self, question: &str, words: &str) {
        until("it asks", PATIENCE, || self.shows().contains(question)).await;
        writeln!(self.keys, "{words}").expect("it listens");
    }

    /// Waits for the end: the exit code, all that was shown, and what went into the pipes.
    async fn left(mut self) -> (Option<i32>, String, String) {
        let mut words = String::new();
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_string(&mut words).expect("UTF-8");
        }
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_string(&mut words).expect("UTF-8");
        }
        let mut code = None;
        until("it ends", PATIENCE, || {
            code = self.child.try_wait().expect("it is ours");
            code.is_some()
        })
        .await;
        // Nobody holds the other end any more: what it wrote last was read.
        until("the terminal is hung up", PATIENCE, || self.reader.is_finished()).await;
        (code.and_then(|status| status.code()), self.shows(), words)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Control codes begin with it.
const ESCAPE: char = '\u{1b}';

/// The numbers that the bar showed behind these words.
fn counts(shown: &str, words: &str) -> Vec<u32> {
    let behind = shown.split(words).skip(1).filter_map(|rest| rest.trim_start().split_once(" ("));
    behind.filter_map(|(number, _)| number.replace(',', "").parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_copy_shows_a_bar_with_counts_on_a_terminal_and_takes_it_away() {
    let place = filled().await;
    let (code, shown, _) = Seat::take(&place, "store copy file:a.db file:b.db", ALL).left().await;
    assert_eq!(code, Some(0), "{shown}");
    for words in ["copying events", "comparing events"] {
        let counts = counts(&shown, words);
        assert!(counts.iter().any(|count| (1..=EACH * ACCOUNTS).contains(count)), "{words} {counts:?}: {shown:?}");
    }
    assert!(shown.contains("opening both stores") && !shown.contains("  0 ("), "every number has its words: {shown:?}");
    let (before, after) = shown.split_at(shown.rfind("KIND").expect("the summary"));
    assert!(after.contains("deliveries") && !after.contains(ESCAPE) && !after.contains("comparing"), "{after:?}");
    assert!(before.trim_end_matches(' ').ends_with("\u{1b}[2K"), "the line is empty again: {before:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_whose_words_go_elsewhere_shows_no_bar() {
    let place = filled().await;
    let ends = Ends { stderr: false, ..ALL };
    let (code, shown, words) = Seat::take(&place, "store copy file:a.db file:b.db", ends).left().await;
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("copying events\n") && words.contains("comparing cash-outs\n"), "{words}");
    assert!(!words.contains([ESCAPE, '\r']) && !shown.contains(ESCAPE) && !shown.contains("copying"), "{words}{shown}");
    assert!(shown.trim_start().starts_with("KIND"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_is_sent_after_yes_on_a_terminal_and_never_after_anything_else() {
    let (house, place) = house().await;
    let send = format!("telepagos cashout {PAYEE} --amount 1.500,50 --concept VAR --reference r-1");
    let question = "Write `yes` to send it: ";
    for answer in ["no", "", "y", "\u{4}"] {
        let mut seat = Seat::take(&place, &send, ALL);
        seat.answer(question, answer).await;
        let (code, shown, _) = seat.left().await;
        assert_eq!(code, Some(1), "{shown}");
        assert!(shown.contains("1.500,50 from account `centro` to CVU"), "{shown}");
        assert!(shown.contains("not confirmed; nothing was sent"), "{shown}");
    }
    assert!(house.sandbox.world().telepagos_cashouts().is_empty());
    assert_eq!(run(&place, "telepagos cashout --list").await.stderr, "there are no cash-outs\n");
    // Somebody who types and does not see the question is not asked.
    let blind = Seat::take(&place, &send, Ends { stdin: true, ..Ends::default() });
    let (code, _, words) = blind.left().await;
    assert!(code == Some(2) && words.contains("add `--yes`"), "{words}");

    let mut seat = Seat::take(&place, &send, ALL);
    seat.answer(question, "yes").await;
    let (code, shown, _) = seat.left().await;
    assert!(code == Some(0) && shown.contains("done"), "{shown}");
    assert_eq!(house.sandbox.world().telepagos_cashouts().len(), 1);
    let mut seat = Seat::take(&place, &send, ALL);
    seat.answer(question, "yes").await;
    let (code, shown, _) = seat.left().await;
    assert!(code == Some(0) && shown.contains("nothing was sent now"), "{shown}");
    assert_eq!(house.sandbox.world().telepagos_cashouts().len(), 1, "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_qr_code_is_drawn_on_a_terminal_and_is_text_in_a_pipe() {
    let (_house, place) = house().await;
    let create = "telepagos qr create --amount 10 --concept VAR";
    let is_drawn = |text: &str| text.lines().filter(|line| line.starts_with("\u{1b}[30;47m")).count();
    let (code, shown, _) = Seat::take(&place, create, ALL).left().await;
    assert_eq!(code, Some(0), "{shown}");
    assert!(is_drawn(&shown) > 15 && shown.contains(['█', '▀', '▄']), "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("000201")), "the text stands below: {shown}");
    let ends = Ends { stdout: false, ..ALL };
    let (code, shown, piped) = Seat::take(&place, create, ends).left().await;
    assert_eq!(code, Some(0), "{shown}");
    assert!(piped.starts_with("000201") && piped.lines().count() == 1 && !piped.contains(ESCAPE), "{piped}");
    assert!(!shown.contains(ESCAPE) && shown.starts_with("QR order "), "{shown}");
}

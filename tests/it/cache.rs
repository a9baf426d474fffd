//! Compiled modules beside their sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with a program that imports a module.
struct Project(PathBuf);

impl Project {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kept_modules").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the test's folder can be made");
        let project = Self(folder);
        project.write("main.scr", "import part\nprint(part.VALUE, part.half())\n");
        project.write("part.scr", "VALUE = 'first'\ndef half():\n    return len(VALUE) / 2\n");
        project
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("the test's file can be written");
    }

    fn kept(&self) -> PathBuf {
        self.0.join("__scrcache__/part.scrc")
    }

    #[track_caller]
    fn check(&self, options: &[&str], expected: &str) {
        let run = Command::new(env!("CARGO_BIN_EXE_scrip")).args(options).arg(self.0.join("main.scr")).output().expect("the program starts");
        assert_eq!((String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr)), (expected.into(), "".into()));
    }
}

#[test]
fn an_imported_module_is_kept_and_read_again() {
    let project = Project::new("kept");
    project.check(&[], "first 2.5\n");
    let kept = fs::read(project.kept()).expect("the module was kept");
    project.check(&[], "first 2.5\n");
    assert_eq!(fs::read(project.kept()).expect("it is still there"), kept);
    assert_eq!(fs::read_dir(project.0.join("__scrcache__")).expect("the folder can be read").count(), 1, "nothing else is left");
}

#[test]
fn a_changed_source_is_compiled_again() {
    let project = Project::new("changed");
    project.check(&[], "first 2.5\n");
    project.write("part.scr", "VALUE = 'second'\ndef half():\n    return len(VALUE) / 2\n");
    project.check(&[], "second 3.0\n");
}

#[test]
fn damage_and_foreign_files_do_not_matter() {
    let project = Project::new("damaged");
    project.check(&[], "first 2.5\n");
    let kept = fs::read(project.kept()).expect("the module was kept");
    for damaged in [Vec::new(), kept[..kept.len() / 2].to_vec(), b"SCRC and more".to_vec(), vec![0xFF; 4096]] {
        fs::write(project.kept(), damaged).expect("the file can be written");
        project.check(&[], "first 2.5\n");
    }
    let mut changed = kept.clone();
    *changed.last_mut().expect("the file is not empty") ^= 1;
    fs::write(project.kept(), changed).expect("the file can be written");
    project.check(&[], "first 2.5\n");
    assert_eq!(fs::read(project.kept()).expect("it was written again"), kept);
}

#[test]
fn a_moved_folder_is_compiled_again_so_that_tracebacks_name_the_right_file() {
    let project = Project::new("moved");
    project.write("part.scr", "VALUE = __file__.split('/')[-2]\ndef half():\n    return half.__code__.co_filename.split('/')[-2]\n");
    project.check(&[], "moved moved\n");
    let elsewhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kept_modules/elsewhere");
    let _ = fs::remove_dir_all(&elsewhere);
    fs::rename(&project.0, &elsewhere).expect("the folder can be moved");
    Project(elsewhere).check(&[], "elsewhere elsewhere\n");
}

#[test]
fn nothing_is_kept_when_that_is_not_wanted_or_not_possible() {
    let project = Project::new("unwanted");
    project.check(&["-B"], "first 2.5\n");
    project.write("main.scr", "import sys\nsys.dont_write_bytecode = True\nimport part\nprint(part.VALUE, part.half())\n");
    project.check(&[], "first 2.5\n");
    assert!(!project.kept().exists());
    project.write("main.scr", "import part\nprint(part.VALUE, part.half())\n");
    // A file where the folder should be.
    project.write("__scrcache__", "");
    project.check(&[], "first 2.5\n");
}

#[test]
fn a_pipe_in_the_place_of_a_kept_file_is_not_waited_for() {
    let project = Project::new("pipe");
    project.check(&[], "first 2.5\n");
    fs::remove_file(project.kept()).expect("it was kept");
    let made = std::process::Command::new("mkfifo").arg(project.kept()).status().expect("there is such a program");
    assert!(made.success());
    project.check(&[], "first 2.5\n");
}

#[test]
fn an_embedder_s_interpreter_keeps_nothing_unless_it_is_told_to() {
    let project = Project::new("embedded");
    let path = [project.0.to_string_lossy().into_owned()];
    let run = |keeps| {
        let interpreter = scrip::Interpreter::builder().search_path(path.clone()).write_cache(keeps).build().expect("an interpreter can be made");
        interpreter.exec("import part").expect("the module can be imported");
    };
    run(false);
    assert!(!project.kept().exists());
    run(true);
    assert!(project.kept().exists());
}

//! Settings on three platforms, and without any home.

use super::*;

fn linux() -> Places {
    Places {
        home: Some("/home/ann".into()),
        config: Some("/home/ann/.config".into()),
        data: Some("/home/ann/.local/share".into()),
    }
}

fn mac() -> Places {
    let support: PathBuf = "/Users/ann/Library/Application Support".into();
    Places { home: Some("/Users/ann".into()), config: Some(support.clone()), data: Some(support) }
}

fn windows() -> Places {
    Places {
        home: Some(r"C:\Users\ann".into()),
        config: Some(r"C:\Users\ann\AppData\Roaming".into()),
        data: Some(r"C:\Users\ann\AppData\Local".into()),
    }
}

fn resolve(flags: &Flags, environment: &[(&str, &str)], places: &Places, files: &[&str]) -> Result<Settings> {
    let variable =
        |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let exists = |path: &Path| files.iter().any(|file| Path::new(file) == path);
    Settings::resolve(flags, &variable, places, &exists)
}

fn database(text: &str) -> Result<PathBuf> {
    resolve(&Flags { database: Some(text.into()), ..Flags::default() }, &[], &linux(), &[]).map(|it| it.database)
}

#[test]
fn with_nothing_said_each_platform_has_its_places() {
    for (places, data) in [
        (linux(), PathBuf::from("/home/ann/.local/share")),
        (mac(), PathBuf::from("/Users/ann/Library/Application Support")),
        (windows(), PathBuf::from(r"C:\Users\ann\AppData\Local")),
    ] {
        let settings = resolve(&Flags::default(), &[], &places, &[]).unwrap();
        let database = data.join("taskgate").join("taskgate.db");
        let listen = "127.0.0.1:8080".parse().unwrap();
        let policy_place = places.config.map(|config| config.join("taskgate").join("routing.yaml"));
        let log = "info".to_owned();
        assert_eq!(settings, Settings { policy: None, policy_place, database, listen, log });
    }
}

#[test]
fn a_policy_in_the_configuration_folder_is_found_and_one_in_the_working_directory_is_not() {
    let found = "/home/ann/.config/taskgate/routing.yaml";
    let settings = resolve(&Flags::default(), &[], &linux(), &[found, "routing.yaml", "./routing.yaml"]).unwrap();
    assert_eq!(settings.policy, Some(found.into()));
    let settings = resolve(&Flags::default(), &[], &linux(), &["routing.yaml", "./routing.yaml"]).unwrap();
    assert_eq!(settings.policy, None);
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_default() {
    let environment = [
        ("TASKGATE_POLICY", "/env.yaml"),
        ("TASKGATE_DATABASE_URL", "sqlite:/env.db"),
        ("TASKGATE_LISTEN", "127.0.0.1:1"),
        ("TASKGATE_LOG", "debug"),
    ];
    let files = ["/env.yaml", "/flag.yaml"];
    let settings = resolve(&Flags::default(), &environment, &linux(), &files).unwrap();
    assert_eq!((settings.policy, settings.database), (Some("/env.yaml".into()), "/env.db".into()));
    assert_eq!((settings.listen, settings.log.as_str()), ("127.0.0.1:1".parse().unwrap(), "debug"));
    let flags = Flags {
        policy: Some("/flag.yaml".into()),
        database: Some("/flag.db".into()),
        listen: Some("localhost:2".into()),
        log: Some("warn".into()),
    };
    let settings = resolve(&flags, &environment, &linux(), &files).unwrap();
    assert_eq!((settings.policy, settings.database), (Some("/flag.yaml".into()), "/flag.db".into()));
    assert_eq!((settings.listen, settings.log.as_str()), ("127.0.0.1:2".parse().unwrap(), "warn"));
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let environment = [("TASKGATE_POLICY", ""), ("TASKGATE_DATABASE_URL", " "), ("TASKGATE_LISTEN", "")];
    let settings = resolve(&Flags::default(), &environment, &linux(), &[]).unwrap();
    assert_eq!(settings, resolve(&Flags::default(), &[], &linux(), &[]).unwrap());
}

#[test]
fn a_database_is_a_path_or_a_sqlite_url() {
    for (text, path) in [
        ("tasks.db", "tasks.db"),
        ("/var/a:b.db", "/var/a:b.db"),
        ("sqlite:tasks.db", "tasks.db"),
        ("sqlite:/var/tasks.db", "/var/tasks.db"),
        ("sqlite://tasks.db", "tasks.db"),
        ("sqlite:///var/tasks.db", "/var/tasks.db"),
        (r"C:\tasks.db", r"C:\tasks.db"),
        ("what?.db", "what?.db"),
        ("~/tasks.db", "/home/ann/tasks.db"),
        ("sqlite:~/tasks.db", "/home/ann/tasks.db"),
    ] {
        assert_eq!(database(text).unwrap(), PathBuf::from(path), "{text}");
    }
}

#[test]
fn other_databases_are_refused_without_telling_their_password() {
    for (text, message) in [
        ("postgres://ann:secret@db/tasks", "postgres:// is not supported by this version"),
        ("postgresql://db", "postgresql:// is not supported by this version"),
        ("sqlite::memory:", "the database must be a file"),
        (":memory:", "the database must be a file"),
        ("sqlite:", "the database must be a file"),
        ("sqlite:a.db?mode=ro", "a database is given without options after `?`"),
    ] {
        let error = database(text).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (Kind::Config, message), "{text}");
        assert!(error.hint.is_some() && !format!("{error:?}").contains("secret"), "{text}");
    }
}

#[test]
fn a_bare_environment_says_what_to_set_and_works_once_it_is() {
    let bare = Places::default();
    let error = resolve(&Flags::default(), &[], &bare, &[]).unwrap_err();
    assert_eq!(error.message, "there is no place to keep the tasks: the home directory is not known");
    assert!(error.hint.unwrap().contains("TASKGATE_DATABASE_URL"));
    let settings = resolve(&Flags::default(), &[("TASKGATE_DATABASE_URL", "/data/tasks.db")], &bare, &[]).unwrap();
    assert_eq!((settings.policy, settings.database), (None, "/data/tasks.db".into()));
    let error = resolve(&Flags::default(), &[("TASKGATE_DATABASE_URL", "~/tasks.db")], &bare, &[]).unwrap_err();
    assert_eq!(error.message, "~/tasks.db can't be found: the home directory is not known");
}

#[test]
fn a_policy_that_was_asked_for_must_be_there() {
    let error = resolve(&Flags::default(), &[("TASKGATE_POLICY", "~/mine.yaml")], &linux(), &[]).unwrap_err();
    assert_eq!(error.message, "the policy /home/ann/mine.yaml does not exist");
}

#[test]
fn an_address_without_a_port_is_refused() {
    for text in ["8080", "localhost", "0.0.0.0", "example.org:80", "127.0.0.1:99999"] {
        let flags = Flags { listen: Some(text.into()), ..Flags::default() };
        let error = resolve(&flags, &[], &linux(), &[]).unwrap_err();
        assert_eq!(error.message, format!("`{text}` is not an address to listen on"));
    }
}

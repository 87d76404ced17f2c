//! The accounts of those who may log in.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Exit;
use crate::client::Secret;
use crate::command::Role;
use crate::context::Context;
use crate::failure::Failure;
use crate::list;
use crate::printable::Printable;
use crate::prompt::{self, Source};
use crate::query::{Query, encode};
use crate::table::{Style, cell};
use crate::time::Moment;

const ALL: &str = "/api/v1/accounts";

#[derive(Subcommand)]
pub(crate) enum Admin {
    /// Let somebody log in
    #[command(after_help = "\
Examples:
  vigocli admin create ann --role operator
  vigocli admin create ann --role viewer --generate
  vigocli admin create ann --role admin --password-file ./password")]
    Create {
        /// The account's name
        name: AccountName,
        /// What it may: viewer reads, operator changes the fleet, admin changes accounts too
        #[arg(long, value_enum)]
        role: Role,
        #[command(flatten)]
        password: Password,
    },
    /// List the accounts
    #[command(after_help = "Examples:\n  vigocli admin list\n  vigocli admin list -o json")]
    List,
    /// Take an account away, with its logins and API tokens
    #[command(after_help = "Examples:\n  vigocli admin delete ann\n  vigocli admin delete ann --yes")]
    Delete {
        /// The account's name
        name: AccountName,
    },
    /// Change what an account may
    #[command(after_help = "Examples:\n  vigocli admin set-role ann viewer")]
    SetRole {
        /// The account's name
        name: AccountName,
        /// The new role
        #[arg(value_enum)]
        role: Role,
    },
    /// Give an account another password
    #[command(
        after_help = "Examples:\n  vigocli admin set-password ann\n  vigocli admin set-password ann --generate -o json"
    )]
    SetPassword {
        /// The account's name
        name: AccountName,
        #[command(flatten)]
        password: Password,
    },
}

/// Where the password comes from; asked for twice on the terminal if nowhere.
#[derive(Args)]
pub(crate) struct Password {
    /// Make one, and print it this once
    #[arg(long, conflicts_with_all = ["password_stdin", "password_file"])]
    generate: bool,
    /// Read it from stdin
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// Read it from a file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// What an account is called, as far as a path goes; the server judges the rest.
#[derive(Clone)]
pub(crate) struct AccountName(String);

impl std::str::FromStr for AccountName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || matches!(text, "." | "..") || text.len() > 200 {
            return Err("that is no name of an account".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl AccountName {
    fn path(&self) -> String {
        format!("{ALL}/{}", encode(&self.0))
    }

    fn shown(&self) -> Printable {
        Printable::new(&self.0)
    }
}

#[derive(Deserialize)]
struct Account {
    name: Printable,
    role: Printable,
    created_at: Moment,
    created_by: Printable,
    last_login_at: Option<Moment>,
}

impl Admin {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Create { name, role, password } => {
                let (password, generated) = password.take(context, &name)?;
                let request = json!({"name": name.0, "role": role.name(), "password": password.expose()});
                let mut sent: Value = context.client()?.post(ALL, &request).await?.parse()?;
                let account: Account = list::row(sent.clone())?;
                reveal(&mut sent, generated.as_ref());
                context.out.show_own(&sent, |_, _| {
                    with_password(format!("{} may log in as {}.\n", account.name, account.role), generated.as_ref())
                })?;
            }
            Self::List => return list::show(context, Query::new(ALL), None, show_all).await,
            Self::Delete { name } => {
                context
                    .confirm(&format!("Deletes the account {}, its logins and its API tokens.", name.shown()), "yes")?;
                context.client()?.delete(&name.path()).await?;
                context.out.show_own(&json!({"name": name.0, "result": "deleted"}), |_, _| {
                    format!("Deleted the account {}.\n", name.shown())
                })?;
            }
            Self::SetRole { name, role } => {
                let role = role.name();
                context.client()?.post(&format!("{}/role", name.path()), &json!({"role": role})).await?;
                context.out.show_own(&json!({"name": name.0, "role": role}), |_, _| {
                    format!("{} is {role} from its next request on.\n", name.shown())
                })?;
            }
            Self::SetPassword { name, password } => {
                let (password, generated) = password.take(context, &name)?;
                let request = json!({"password": password.expose()});
                context.client()?.post(&format!("{}/password", name.path()), &request).await?;
                let mut done = json!({"name": name.0, "result": "password_set"});
                reveal(&mut done, generated.as_ref());
                context.out.show_own(&done, |_, _| {
                    with_password(format!("{} has a new password.\n", name.shown()), generated.as_ref())
                })?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl Password {
    /// The password, and the same again where it was made here and must be shown.
    fn take(&self, context: &Context<'_>, name: &AccountName) -> Result<(Secret, Option<Secret>), Failure> {
        if self.generate {
            let password = generate();
            return Ok((password.clone(), Some(password)));
        }
        let source = match (&self.password_file, self.password_stdin) {
            (Some(file), _) => Source::File(file),
            (None, true) => Source::Stdin,
            (None, false) => Source::Terminal,
        };
        let password = prompt::password(&context.tty, &source, &format!("New password of {}", name.shown()))?;
        if matches!(source, Source::Terminal) {
            let again = prompt::secret(&context.tty, "Once more")?;
            if again.expose() != password.expose() {
                return Err(Failure::new(Exit::Usage, "passwords_differ", "the two passwords differ")
                    .help("Nothing was changed. Type the same one twice."));
            }
        }
        Ok((password, None))
    }
}

/// 24 letters and digits that cannot be taken for one another: 136 bits.
fn generate() -> Secret {
    const LETTERS: &[u8] = b"23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut random = rand::rng();
    let letter = |_| char::from(LETTERS[random.random_range(0..LETTERS.len())]);
    Secret::new((0..24).map(letter).collect())
}

/// A password that was made here is part of the result, this once.
fn reveal(result: &mut Value, generated: Option<&Secret>) {
    if let (Some(password), Value::Object(fields)) = (generated, result) {
        fields.insert("password".to_owned(), password.expose().into());
    }
}

fn with_password(text: String, generated: Option<&Secret>) -> String {
    match generated {
        Some(password) => format!("{text}\n  {}\n\nThat is the password; it is not shown again.\n", password.expose()),
        None => text,
    }
}

fn show_all(accounts: &[Account], style: &Style) -> String {
    let rows = accounts.iter().map(|account| {
        [
            cell(&account.name),
            cell(&account.role),
            cell(style.time(Some(&account.created_at))),
            cell(&account.created_by),
            cell(style.time(account.last_login_at.as_ref())),
        ]
    });
    style.table(["NAME", "ROLE", "CREATED", "BY", "LAST LOGIN"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_passwords_differ() {
        let (one, two) = (generate(), generate());
        assert_eq!((one.expose().len(), two.expose().len()), (24, 24));
        assert_ne!(one.expose(), two.expose());
    }

    #[test]
    fn a_name_stays_within_its_path() {
        let path = |name: &str| name.parse::<AccountName>().ok().map(|name| name.path());
        assert_eq!(path("a/../b?c").as_deref(), Some("/api/v1/accounts/a%2F..%2Fb%3Fc"));
        assert_eq!((path(".."), path("")), (None, None));
    }
}

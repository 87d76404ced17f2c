//! Who may operate the server: accounts with passwords, sessions of the web pages, API tokens, and roles.

mod account;
mod api_token;
mod keep;
mod login;
mod password;
mod principal;
mod role;
mod session;
mod throttle;

pub(crate) use account::{Account, AccountName, NewAccount};
pub(crate) use api_token::{ApiToken, ApiTokenId, NewApiToken};
pub(crate) use keep::AccessError;
pub(crate) use login::{LoginError, log_in};
pub(crate) use password::{Password, Passwords};
pub(crate) use principal::{By, Principal, of_bearer, of_session};
pub use role::Role;
pub(crate) use session::{LoggedIn, layer};
pub(crate) use throttle::Throttle;

#![doc = include_str!("../README.md")]

mod problem;
mod tree;

mod draft;
mod read;
mod read_configcrate;
mod template;

mod cover;
mod order;
mod resolve;

mod catalogue;
mod files;
mod stacks;

pub use catalogue::{Catalogue, CatalogueError, Published};
pub use files::MAX_FILE_BYTES;
pub use problem::{Position, Problem, StackErrors};
pub use stacks::{Hostcrate, Stacks};
pub use template::MAX_DEPTH;

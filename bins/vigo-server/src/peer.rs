//! Who is at the other end of a connection.

use vigo_ca::PeerIdentity;
use vigo_core::ClientAddr;

/// The other end of a connection, an extension of each of its requests.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The socket's address.
    pub(crate) addr: ClientAddr,
    /// What its client certificate says, where it sent one.
    pub(crate) identity: Option<PeerIdentity>,
}

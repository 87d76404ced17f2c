//! The only place that draws randomness. (vigo-ca draws the TLS key, from the same system.)

use rand::TryRng as _;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct DiceError(#[source] rand::rngs::SysError);

/// Bytes for an identifier.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], DiceError> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(DiceError)?;
    Ok(bytes)
}

/// The seed of a key.
pub(crate) fn seed() -> Result<Zeroizing<[u8; 32]>, DiceError> {
    let mut seed = Zeroizing::new([0; 32]);
    SysRng.try_fill_bytes(&mut *seed).map_err(DiceError)?;
    Ok(seed)
}

/// A number for spreading machines over time. Nothing depends on its quality.
pub(crate) fn spread() -> u32 {
    SysRng.try_next_u32().unwrap_or(u32::MAX / 2)
}

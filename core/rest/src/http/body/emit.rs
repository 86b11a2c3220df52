//! Where the pages of an answer go, however it was written.

use super::Unfit;

/// What takes a page.
pub(super) type Emit<'e> = dyn FnMut(String) -> Result<(), Unfit> + 'e;

//! Fuzzes [`vigo_fuzz::bootstrap`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| vigo_fuzz::bootstrap::check(data));

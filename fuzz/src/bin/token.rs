//! Fuzzes [`vigo_fuzz::token`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| vigo_fuzz::token::check(data));

//! Fuzzes [`vigo_fuzz::frames`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| vigo_fuzz::frames::check(data));

//! Fuzzes [`vigo_fuzz::store_ops`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| vigo_fuzz::store_ops::check(data));

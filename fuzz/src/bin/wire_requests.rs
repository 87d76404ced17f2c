//! Fuzzes [`vigo_fuzz::wire_requests`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| vigo_fuzz::wire_requests::check(data));

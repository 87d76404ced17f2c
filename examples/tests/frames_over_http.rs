//! `frames_over_http`: what the two ends say to each other.

use vigo_tests::Program;

#[test]
fn a_frame_counts_once_and_as_it_was_signed() {
    let told = Program::at(env!("CARGO_BIN_EXE_frames_over_http")).run().ok();
    let expected = [
        "the first frame of a process: resync, the next frame is number 1",
        "the second: accepted, the next is due in 300 s",
        "the second again: refused, 409 Conflict",
        "the third, a bit of it changed: refused, 401 Unauthorized",
        "the third: accepted, the next is due in 300 s",
        "a reply of another server: not taken, the signature does not fit",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

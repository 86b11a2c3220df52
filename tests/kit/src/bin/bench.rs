//! `make bench`: measures the `tributary` that was built beside it.

fn main() -> std::process::ExitCode {
    tributary_testkit::bench::main()
}

//! `make soak MINUTES=10`: wears out the `tributary` that was built beside it.

fn main() -> std::process::ExitCode {
    tributary_testkit::soak::main()
}

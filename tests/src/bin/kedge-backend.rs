//! `kedge-backend NAME PORT`: see `kedge_tests::backend`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    let mut words = std::env::args().skip(1);
    let (Some(name), Some(port)) = (words.next(), words.next().and_then(|p| p.parse().ok())) else {
        eprintln!("usage: kedge-backend NAME PORT");
        return std::process::ExitCode::FAILURE;
    };
    match kedge_tests::backend::serve(&name, port) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kedge-backend: port {port}: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

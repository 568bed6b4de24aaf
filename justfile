# All there is to remember. Everything is a group of ./test.

fmt:
    cargo fmt --all
    cargo fmt --manifest-path tests/sdk/rust/Cargo.toml
    rustfmt --edition 2024 --config-path . crates/fork/worker/{lib,init}.rs

lint:
    ./test style

test *GROUPS:
    ./test {{GROUPS}}

ci:
    .ci/run

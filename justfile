# All there is to remember. Everything is a group of ./test.

fmt:
    cargo fmt --all

lint:
    ./test style

test *GROUPS:
    ./test {{GROUPS}}

ci:
    .ci/run

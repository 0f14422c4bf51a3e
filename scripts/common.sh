# Shared by the scripts here; to be sourced.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$(basename "$0"): $*"
    exit 1
}

need_root() {
    [ "$(id -u)" = 0 ] || die "run as root: network namespaces and nftables need it"
}

# install_missing COMMAND=PACKAGE ...: from the distribution, what is not there yet.
install_missing() {
    local wanted=() pair
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || wanted+=("${pair#*=}")
    done
    [ ${#wanted[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "install ${wanted[*]} with this distribution's package manager, then run this again"
    say "installing from the distribution: ${wanted[*]}"
    apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >&2 ||
        die "cannot install ${wanted[*]}"
}

need_toolchain() {
    command -v cargo >/dev/null || [ ! -r "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
    command -v cargo >/dev/null || die "there is no Rust toolchain: install rustup, then run this again"
    # ring, jemalloc and the C library's static parts need a C compiler and linker, jemalloc its makefile's interpreter.
    install_missing cc=gcc make=make
    [ -e /usr/include/stdlib.h ] || install_missing no-such-command=libc6-dev
}

# target_folder PROFILE: where cargo leaves binaries.
target_folder() {
    local triple
    triple=$(rustc -vV | sed -n 's/^host: //p')
    printf '%s/%s/%s\n' "${CARGO_TARGET_DIR:-$root/target}" "$triple" "$1"
}

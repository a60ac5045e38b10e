#!/bin/sh
# build.sh MODE SOURCE OUT: builds the page into OUT/page. MODE is AUTO (a plain page that says what was
# missing, where npm or its packages cannot be had), ON (then fail) or OFF (always the plain page).
# Packages go to OUT/npm, never into the source tree or the user's home, and are fetched again only if
# the lock changed.
set -eu
mode=$1
source=$2
out=$3

# Cannot be built: because of WHY.
plain() {
    if [ "$mode" = ON ]; then
        echo "dashboard: cannot be built: $1 (GP_DASHBOARD=ON)" >&2
        exit 1
    fi
    [ "$mode" = OFF ] || echo "dashboard: $1: gpd will serve a plain page instead" >&2
    rm -rf "$out/page"
    mkdir -p "$out/page"
    sed "s|@WHY@|$1|" "$source/plain.html" >"$out/page/index.html"
    exit 0
}

packages() {
    cmp -s "$source/package-lock.json" "$out/npm/installed-lock.json" && return 0
    mkdir -p "$out/npm"
    cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$out/npm/"
    (cd "$out/npm" && npm ci --ignore-scripts --cache "$out/npm/cache" --no-update-notifier --no-audit \
        --no-fund --loglevel=error) >&2 || return 1
    cp "$source/package-lock.json" "$out/npm/installed-lock.json"
}

[ "$mode" != OFF ] || plain "it was left out (GP_DASHBOARD=OFF)"
command -v node >/dev/null && command -v npm >/dev/null || plain "node and npm were not found"
packages || plain "npm could not install the packages it is made of"
rm -rf "$out/page"
node "$source/build.mjs" --modules "$out/npm/node_modules" --out "$out/page" ||
    plain "its build failed"

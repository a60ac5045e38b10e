#!/bin/sh
# run.sh TEST.mjs: installs what the browser tests need below the build tree and runs one of them. Ends with
# 77, which ctest shows as skipped, where chromium, npm or the packages cannot be had.
set -eu
here=$GP_SOURCE_DIR/tests/browser
npm=$GP_BUILD_DIR/tests/browser/npm

skip() {
    echo "skipped: $1"
    exit 77
}

GP_CHROMIUM=${GP_CHROMIUM:-$(command -v chromium || true)}
export GP_CHROMIUM
[ -n "$GP_CHROMIUM" ] || skip "chromium was not found: sh tests/packages.sh all"
command -v npm >/dev/null || skip "npm was not found: sh tests/packages.sh build"
[ -e "$GP_BUILD_DIR/obj/runtime/dashboard/page/app.js" ] || skip "the dashboard was not built"

mkdir -p "$npm"
if ! cmp -s "$here/package-lock.json" "$npm/installed-lock.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$npm/"
    (cd "$npm" && npm ci --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error) ||
        skip "npm could not install what these tests need"
    cp "$here/package-lock.json" "$npm/installed-lock.json"
fi
exec node "$here/$1"

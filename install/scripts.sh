#!/bin/sh
# usage: sh install/scripts.sh
# Checks the page's scripts and styles with the tools that ui/package-lock.json names, installed once into ui/node_modules;
# where that cannot be, says so and lets the other checks go on.

skip() {
    echo "article-chat: the page's scripts and styles were not checked: $1" >&2
    exit
}

cd "$(dirname "$0")/../ui" || exit
command -v npm >/dev/null || skip "for that, install Node.js 18 or newer with npm (on Debian: sudo apt install npm)"
# The stamp is written last, and is the lock that was installed.
if ! cmp -s package-lock.json node_modules/installed.json; then
    npm ci --silent --no-audit --no-fund --fetch-retries=1 || skip "npm could not fetch Biome and TypeScript; run make lint again with a network"
    cp package-lock.json node_modules/installed.json
fi
npm run --silent lint

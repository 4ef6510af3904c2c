#!/bin/sh
# usage: sh install/browser.sh PYTHON
# The tests open the page in Chromium: leaves the machine's own, else gets Debian's (as root), else Playwright's.

for name in chromium chromium-browser google-chrome; do
    "$name" --version >/dev/null 2>&1 && exit
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q && apt-get install -y -q --no-install-recommends chromium && exit
fi
"$1" -m playwright install chromium && exit
echo "article-chat: the tests need Chromium; on Debian: sudo apt install chromium; elsewhere: .venv/bin/playwright install chromium" >&2
exit 1

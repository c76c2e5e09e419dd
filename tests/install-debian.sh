#!/bin/sh
# Makes sure that the real programs the tests run are there: installs them where root may, else says what to install.
set -eu
missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need prometheus prometheus
need promtool prometheus
need prometheus-alertmanager prometheus-alertmanager
need amtool prometheus-alertmanager
need prometheus-pushgateway prometheus-pushgateway
need chromium chromium
need faketime faketime
need jq jq
need systemd-analyze systemd
need curl curl
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
[ -z "$(printf '%s' "$missing" | tr -d ' ')" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing Debian packages: $missing"
    # A package must not start its service here: the tests start their own, on their own ports.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "the tests need these Debian packages: $missing(run: apt-get install $missing)" >&2
    exit 1
fi

#!/bin/sh
# Fetches the certificates of $HOSTS from the CA at $DIRECTORY by certbot, and hands them to nginx in /certificates.
#   certificates forever   what the container does
#   certificates state     one line a host: issued, waiting, failed or renewing, the host, and why it has no new one
#   certificates [OPTION]  try now, once, with these options of certbot
set -u
umask 077

# Each CA has a folder of its own: the certificates of one are not renewed at another.
home=/etc/letsencrypt/$(printf '%s' "$DIRECTORY" | sed 's|^https://||; s|[^A-Za-z0-9.-]|_|g')
if [ -n "$EMAIL" ]; then contact="--email $EMAIL"; else contact=--register-unsafely-without-email; fi

# A renewal keeps the key: nginx reads certificate and key one after the other, and must not meet the new one with the
# old. For a new key: certificates --force-renewal --new-key
fetch() {
    host=$1
    shift
    certbot certonly --non-interactive --agree-tos $contact --server "$DIRECTORY" --cert-name "$host" -d "$host" \
        --standalone --http-01-port 8080 --keep-until-expiring --reuse-key --config-dir "$home" --work-dir /tmp/work \
        --logs-dir /tmp/logs --max-log-backups 0 "$@" 2>&1
}

reason() {
    found=$(sed -n 's/^ *Detail: //p' "$1" | head -n 1)
    [ -n "$found" ] || found=$(grep -v -E '^($|Ask for help|Some challenges|Saving debug)' "$1" | tail -n 1)
    printf '%s' "${found:-no reason was given}" | cut -c 1-300
}

# One file for certificate and key, put there in one step: nginx never reads half of one.
hand_over() {
    [ -e "$home/live/$1/fullchain.pem" ] || return 0
    rm -f /certificates/.next
    cat "$home/live/$1/fullchain.pem" "$home/live/$1/privkey.pem" >/certificates/.next || return 1
    if cmp -s /certificates/.next "/certificates/$1.pem"; then return 0; fi
    # The group is that of nginx in its image.
    chgrp 101 /certificates/.next && chmod 440 /certificates/.next && mv /certificates/.next "/certificates/$1.pem"
}

# Whether nginx has a certificate that is valid today, and this CA has given one: what another CA gave is served on, but
# is not what was asked for.
has() {
    [ -e "$home/live/$1/fullchain.pem" ] &&
        openssl x509 -checkend 0 -noout -in "/certificates/$1.pem" >/dev/null 2>&1
}

round() (
    exec 9>/tmp/lock
    flock 9
    mkdir -p /tmp/tried
    failed=0
    for host in $HOSTS; do
        : >/tmp/why
        fetch "$host" "$@" >/tmp/said || reason /tmp/said >/tmp/why
        hand_over "$host" >/tmp/handed 2>&1 || reason /tmp/handed >/tmp/why
        cat /tmp/said /tmp/handed | sed "s/^/$host: /"
        [ ! -s /tmp/why ] || failed=1
        mv /tmp/why "/tmp/tried/$host"
    done
    exit $failed
)

# Let's Encrypt takes five failures a name and hour: at most four are made in the first, then less and less.
forever() {
    wait=300
    while :; do
        touch /tmp/alive
        if round; then
            wait=300
            sleep 43200
        else
            sleep $wait
            wait=$((wait < 10800 ? wait * 2 : 21600))
        fi
    done
}

state() {
    for host in $HOSTS; do
        if [ -s "/tmp/tried/$host" ]; then
            if has "$host"; then word=renewing; else word=failed; fi
            printf '%s %s %s\n' $word "$host" "$(cat "/tmp/tried/$host")"
        elif has "$host"; then
            echo "issued $host"
        else
            echo "waiting $host"
        fi
    done
}

case ${1-} in
    forever) forever ;;
    state) state ;;
    *) round "$@" ;;
esac

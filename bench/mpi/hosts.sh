# hosts.sh - two hosts on this machine: network namespaces, a wire between them,
# and mpirun over both.  Sourced; needs root.  $wire is the program of wire.c.
#
#     hosts_up RATE MICROSECONDS      "1gbit 0"; RATE none: as fast as it goes
#     hosts_run COMMAND...            one rank on each
#     hosts_down

hosts_dir=$(mktemp -d)
hosts_wire=
hosts_a=plumb-a$$
hosts_b=plumb-b$$

# Two of what is needed, tried: a namespace, and a device of ours in it.
hosts_permitted() {
    command -v ip >/dev/null && command -v tc >/dev/null &&
        command -v mpirun >/dev/null && [ -w /dev/net/tun ] &&
        ip netns add "$hosts_a" 2>/dev/null && ip netns del "$hosts_a"
}

hosts_up() {
    ip netns add "$hosts_a"
    ip netns add "$hosts_b"
    if [ "$2" -gt 0 ]; then
        "$wire" "$hosts_a" "$hosts_b" "$2" >"$hosts_dir/ready" &
        hosts_wire=$!
        while ! grep -q ready "$hosts_dir/ready"; do
            kill -0 $hosts_wire || return 1
            sleep 0.02
        done
    else
        ip link add wire netns "$hosts_a" type veth peer name wire \
            netns "$hosts_b"
    fi
    n=0
    for host in "$hosts_a" "$hosts_b"; do
        n=$((n + 1))
        ip -n "$host" link set lo up
        ip -n "$host" addr add 10.77.0.$n/24 dev wire
        ip -n "$host" link set wire mtu 9000 up
        # Room for a hundred milliseconds, so that TCP is not made to guess.
        [ "$1" = none ] || tc -n "$host" qdisc add dev wire root \
            tbf rate "$1" burst 64kb latency 100ms
    done
    # Open MPI asks this to start its part on the other host.
    cat >"$hosts_dir/agent" <<Y
#!/bin/sh
shift
exec ip netns exec $hosts_b unshare --uts sh -c \
    'hostname plumb-b; exec sh -c "\$1"' sh "\$*"
Y
    chmod +x "$hosts_dir/agent"
}

hosts_run() {
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
        ip netns exec "$hosts_a" unshare --uts sh -c \
        'hostname plumb-a; exec "$@"' sh \
        mpirun --mca plm_rsh_agent "$hosts_dir/agent" \
        --host 10.77.0.1:1,10.77.0.2:1 --mca btl tcp,self \
        --mca btl_tcp_if_include 10.77.0.0/24 \
        --mca oob_tcp_if_include 10.77.0.0/24 --bind-to none -n 2 "$@"
}

hosts_down() {
    [ -z "$hosts_wire" ] || kill "$hosts_wire"
    hosts_wire=
    ip netns del "$hosts_a" 2>/dev/null
    ip netns del "$hosts_b" 2>/dev/null
    return 0
}

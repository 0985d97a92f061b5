# Completion of bpftop for fish.
# Made by contrib/completions.py from the tables of the command line; do not edit.

function __bpftop_is
    # Whether the command line has one of these verbs, "none" being a line without a verb.
    # The first word that is neither an option nor the value of an option is the verb or an interface.
    set -l before
    for word in (commandline -opc)[2..-1]
        if not string match -q -- '-*' $word; and not string match -q -r -- '^(--attach|--config|--interval|--netns|--output|--theme|-i|-o)$' "$before"
            if contains -- $word monitor demo config diagnose snapshot watch fleet export flows capture record replay diff profile bench progs maps doctor
                contains -- $word $argv
            else
                contains -- monitor $argv
            end
            return
        end
        set before $word
    end
    contains -- none $argv; or contains -- monitor $argv
end

function __bpftop_interfaces
    path filter -l /sys/class/net/* 2>/dev/null | path basename
end

function __bpftop_netns
    path basename /run/netns/* 2>/dev/null
end

function __bpftop_themes
    set -l config $HOME/.config
    set -q XDG_CONFIG_HOME; and set config $XDG_CONFIG_HOME
    set -l own $config/bpftop/themes/*.yaml
    printf '%s\n' ansi16 colour-blind dark high-contrast light warm (string replace -r '.*/(.*)\.yaml$' '$1' -- $own)
end

function __bpftop_objects
    # Only root may list them.
    bpftool $argv show 2>/dev/null | string replace -f -r '^\d+: .* name (\S+) .*' '$1'
end

function __bpftop_programs
    __bpftop_objects prog
end

function __bpftop_maps
    __bpftop_objects map
    __fish_complete_path (commandline -ct)
end

complete -c bpftop -f
complete -c bpftop -n '__bpftop_is none' -a monitor -d 'the live screen; the same as `bpftop IFACE...`'
complete -c bpftop -n '__bpftop_is none' -a demo -d 'the live screen on private namespaces with generated traffic'
complete -c bpftop -n '__bpftop_is none' -a config -d 'print a commented configuration file, or check the file that is there'
complete -c bpftop -n '__bpftop_is none' -a diagnose -d 'watch for 10 s and report problems; the exit code is the severity'
complete -c bpftop -n '__bpftop_is none' -a snapshot -d 'one document with the rates of one interval'
complete -c bpftop -n '__bpftop_is none' -a watch -d 'a line or a document per interval, without a screen'
complete -c bpftop -n '__bpftop_is none' -a fleet -d 'many hosts over ssh on one screen, a row each'
complete -c bpftop -n '__bpftop_is none' -a export -d 'a Prometheus endpoint'
complete -c bpftop -n '__bpftop_is none' -a flows -d 'the busiest flows with their processes: both directions in a row, shares that add up'
complete -c bpftop -n '__bpftop_is none' -a capture -d 'write dropped packets, or those of an interface, to a file for Wireshark'
complete -c bpftop -n '__bpftop_is none' -a record -d 'record every sample into a file for replay, without a screen'
complete -c bpftop -n '__bpftop_is none' -a replay -d 'the live screen on a recording, or on samples from standard input'
complete -c bpftop -n '__bpftop_is none' -a diff -d 'compare two snapshots, or two moments of recordings'
complete -c bpftop -n '__bpftop_is none' -a profile -d 'measure what map operations cost on this machine'
complete -c bpftop -n '__bpftop_is none' -a bench -d 'measure what BPF programs cost, next to their alternatives'
complete -c bpftop -n '__bpftop_is none' -a progs -d 'every BPF program: what it costs, where it is attached, who holds it'
complete -c bpftop -n '__bpftop_is none' -a maps -d 'every BPF map: how full it is, who uses it, and what is in it'
complete -c bpftop -n '__bpftop_is none' -a doctor -d 'probe which parts of bpftop work on this machine, and why not'
complete -c bpftop -n '__bpftop_is monitor demo config diagnose snapshot watch fleet export flows capture record replay diff profile bench progs maps doctor' -s h -l help -d 'show this help message and exit'
complete -c bpftop -n '__bpftop_is monitor demo config diagnose snapshot watch fleet export flows capture record replay diff profile bench progs maps doctor' -l version -d 'show program\'s version number and exit'
complete -c bpftop -n '__bpftop_is monitor diagnose snapshot watch export flows capture record doctor' -l netns -x -a '(__bpftop_netns)' -d 'network namespace of the interfaces'
complete -c bpftop -n '__bpftop_is monitor demo diagnose snapshot watch fleet export flows record replay progs' -s i -l interval -x -d 'seconds between updates, 0.1 to 3600 (default: 1)'
complete -c bpftop -n '__bpftop_is monitor demo config diagnose snapshot watch fleet export flows record replay doctor' -l config -r -F -d 'configuration file (default: ~/.config/bpftop/config.yaml)'
complete -c bpftop -n '__bpftop_is monitor demo diagnose snapshot watch export flows record replay' -l no-drops -d 'do not attach to tracepoints; drop reasons, XDP exceptions and redirect errors are then not counted'
complete -c bpftop -n '__bpftop_is monitor diagnose snapshot watch export flows record doctor' -l attach -x -a 'auto native generic tcx clsact tc none' -d 'hook to count at: auto, native, generic, tcx, clsact, tc, none; tc is tcx, or clsact before Linux 6.6 (default: auto, which never disturbs the device)'
complete -c bpftop -n '__bpftop_is monitor diagnose snapshot watch export flows record doctor' -l xdp -d 'the same as --attach native --yes'
complete -c bpftop -n '__bpftop_is monitor diagnose snapshot watch export flows record doctor' -l yes -d 'attach even if this resets the device or switches its offloads off'
complete -c bpftop -n '__bpftop_is monitor demo fleet replay' -l theme -x -a '(__bpftop_themes)' -d 'colours: dark, light, high-contrast, colour-blind, warm, ansi16, or the name of your own theme (default: dark, with up to sixteen colours ansi16)'
complete -c bpftop -n '__bpftop_is monitor demo fleet replay' -l no-mouse -d 'leave the mouse to the terminal, for selecting text'
complete -c bpftop -n '__bpftop_is monitor demo fleet replay' -l low-bandwidth -d 'write at most 1 kB/s: ticks wait for the line, and there are sixteen colours at most'
complete -c bpftop -n '__bpftop_is monitor demo diagnose snapshot watch fleet flows replay diff profile bench progs maps' -l ascii -d 'only ASCII, for bars, trends and marks too (default: if the locale is not UTF-8, or TERM is a console)'
complete -c bpftop -n '__bpftop_is monitor diagnose snapshot watch export flows capture record doctor' -a '(__bpftop_interfaces)'
complete -c bpftop -n '__bpftop_is demo' -l fault -x -a 'syn-flood udp-socket-overflow backlog-overflow cpu-imbalance conntrack-full reverse-path-filter tcp-retransmits checksum-errors accept-queue-overflow udp-flood icmp-flood firewall-drops' -d 'make a real fault in the namespaces, again and again: syn-flood, udp-socket-overflow, backlog-overflow, cpu-imbalance, conntrack-full, reverse-path-filter, tcp-retransmits, checksum-errors, accept-queue-overflow, udp-flood, icmp-flood, firewall-drops'
complete -c bpftop -n '__bpftop_is demo' -l tour -d 'make all faults, one after the other, 30 s each'
complete -c bpftop -n '__bpftop_is demo' -l list -d 'list the faults, each with what to look at'
complete -c bpftop -n '__bpftop_is config' -l default -d 'print a file with every setting, its default and what it does, and exit'
complete -c bpftop -n '__bpftop_is config' -l check -d 'print what cannot be used in the file; the exit code is 1 if there is any'
complete -c bpftop -n '__bpftop_is diagnose' -l duration -x -d 'seconds to watch, at least 4 (default: 10, enough for all checks but packet-storm, which needs 18 s, and rx-dropped-harmless, which needs 10 minutes; with --bpf 25)'
complete -c bpftop -n '__bpftop_is diagnose' -l bpf -d 'check also BPF programs and maps (bpf-map-full, bpf-program-cost); run statistics are on meanwhile, which cost each run of every BPF program two clock readings'
complete -c bpftop -n '__bpftop_is diagnose' -l fail-on -x -a 'blind warning critical' -d 'the least that the exit code tells: blind, warning or critical (default: blind); less is 0'
complete -c bpftop -n '__bpftop_is diagnose' -l report -d 'the same as --format markdown, for tickets and chats'
complete -c bpftop -n '__bpftop_is diagnose' -l list -d 'list the checks with their limits, and exit'
complete -c bpftop -n '__bpftop_is diagnose' -l capture -r -F -d 'when something is found, write the first 100 packets that it is about to FILE for Wireshark, headers only: dropped ones with their reason, or those of its protocol and port; `bpftop capture --finding ID` takes more'
complete -c bpftop -n '__bpftop_is diagnose' -l format -x -a 'table json markdown text' -d 'table, json, markdown, text (default: table)'
complete -c bpftop -n '__bpftop_is diagnose watch fleet profile bench progs maps' -s o -l output -r -F -d 'write to FILE, which is replaced atomically at the end'
complete -c bpftop -n '__bpftop_is snapshot' -l format -x -a 'json table csv openmetrics markdown' -d 'json, table, csv, openmetrics, markdown (default: json)'
complete -c bpftop -n '__bpftop_is snapshot flows replay diff' -s o -l output -r -F -d 'write to FILE, which is replaced atomically when the document is complete'
complete -c bpftop -n '__bpftop_is watch' -l format -x -a 'table json csv openmetrics markdown samples' -d 'table, json, csv, openmetrics, markdown, samples (default: table)'
complete -c bpftop -n '__bpftop_is watch fleet' -l count -x -d 'end after N intervals (default: run until Ctrl-C)'
complete -c bpftop -n '__bpftop_is watch' -l duration -x -d 'end after this number of seconds'
complete -c bpftop -n '__bpftop_is watch' -l until-finding -x -d 'end at the first warning or critical finding, or when the check ID has one; ends like diagnose'
complete -c bpftop -n '__bpftop_is fleet' -l ssh -x -d 'options for ssh, in one word: --ssh \'-p 2222 -J bastion\''
complete -c bpftop -n '__bpftop_is fleet' -l format -x -a 'table json' -d 'write a table or document per interval instead of the screen: table, json'
complete -c bpftop -n '__bpftop_is fleet'
complete -c bpftop -n '__bpftop_is export' -l bpf -d 'also serve runs and time of the BPF programs, and entries of the maps, by name; run statistics are on meanwhile, which cost each run of every BPF program two clock readings'
complete -c bpftop -n '__bpftop_is export' -l listen -x -d 'address to listen on (default: 127.0.0.1:9435); [ADDRESS]:PORT for IPv6'
complete -c bpftop -n '__bpftop_is flows' -l top -x -d 'rows to show (default: 20)'
complete -c bpftop -n '__bpftop_is flows' -l by -x -a 'flow address port process container' -d 'what a row is: flow, address, port, process, container (default: flow); address is that of the other side, port that of the service, container a container or else a systemd unit'
complete -c bpftop -n '__bpftop_is flows' -l duration -x -d 'count for so long, at least three intervals (default: 5)'
complete -c bpftop -n '__bpftop_is flows' -l inner -d 'of packets of VXLAN, Geneve, GRE and IP in IP count the flow inside; counts at TCX'
complete -c bpftop -n '__bpftop_is flows' -l format -x -a 'table json csv markdown' -d 'table, json, csv, markdown (default: table)'
complete -c bpftop -n '__bpftop_is capture' -s o -l output -r -F -d 'file to write (pcapng); -: standard output, for a pipe'
complete -c bpftop -n '__bpftop_is capture' -l drops -d 'only packets that the kernel dropped, with its reason'
complete -c bpftop -n '__bpftop_is capture' -l reason -x -d 'with --drops: only this reason, such as NO_SOCKET'
complete -c bpftop -n '__bpftop_is capture' -l protocol -x -d 'only this protocol: tcp, udp, icmp, arp, or a number'
complete -c bpftop -n '__bpftop_is capture' -l flow -x -d 'only packets from or to A, or between A and B: 198.18.0.1, 198.18.0.1:53, :53, [fd00::1]:53'
complete -c bpftop -n '__bpftop_is capture' -l finding -x -d 'only packets that this finding is about, such as syn-flood, from the moment it is found on: those that it counts as dropped, or those of its protocol and port (`bpftop diagnose --list` has the ids)'
complete -c bpftop -n '__bpftop_is capture' -l count -x -d 'end after N packets (default: run until Ctrl-C)'
complete -c bpftop -n '__bpftop_is capture record' -l duration -x -d 'end after this time'
complete -c bpftop -n '__bpftop_is capture' -l max-size -x -d 'end before the file is larger than this, as in 500M (default: 1G)'
complete -c bpftop -n '__bpftop_is capture' -l rate -x -d 'at most so many packets in a second (default: 1000); the others are counted'
complete -c bpftop -n '__bpftop_is capture' -l one-in -x -d 'take one of N packets, at random'
complete -c bpftop -n '__bpftop_is capture' -l snaplen -x -d 'keep so many bytes of a packet, 64 to 16384 (default: 192)'
complete -c bpftop -n '__bpftop_is capture' -l headers-only -d 'write zeros behind the layer 4 header (the default)'
complete -c bpftop -n '__bpftop_is capture' -l payload -d 'write the payload too, as far as --snaplen goes'
complete -c bpftop -n '__bpftop_is record' -l bpf -d 'record also what each BPF program costs; the programs and maps are recorded anyway; run statistics are on meanwhile, which cost each run of every BPF program two clock readings'
complete -c bpftop -n '__bpftop_is record' -s o -l output -r -F -d 'recording to write; an existing recording is continued'
complete -c bpftop -n '__bpftop_is record' -l flows -x -d 'keep the N busiest flows of each interface and direction, with their processes (default: 20); 0: only those that are counted for 10 s when a flood or the like is found'
complete -c bpftop -n '__bpftop_is record' -l max-size -x -d 'limit of the file, as in 500M or 2G; the oldest samples are deleted'
complete -c bpftop -n '__bpftop_is record' -l ring -x -d 'keep this time, as in 2h, and for 30 days what was around findings: for a recorder that runs for months'
complete -c bpftop -n '__bpftop_is record' -l keep -x -d 'delete samples older than this: 30m, 24h, 7d; N: keep the last N samples'
complete -c bpftop -n '__bpftop_is replay' -l at -x -d 'moment to begin at: 03:12, 03:12:44, 2025-11-26T03:12Z (UTC), or -5m from the end'
complete -c bpftop -n '__bpftop_is replay' -l format -x -a 'json table csv openmetrics markdown' -d 'write the moment as a document instead of showing it: json, table, csv, openmetrics, markdown (with -o alone: json)'
complete -c bpftop -n '__bpftop_is replay' -l pane -x -a 'flows' -d 'flows: write the flows of the moment instead of its snapshot, as far as they were recorded'
complete -c bpftop -n '__bpftop_is replay diff' -F
complete -c bpftop -n '__bpftop_is diff' -l all -d 'as a table: also the rows that did not change, any number'
complete -c bpftop -n '__bpftop_is diff' -l format -x -a 'table json' -d 'table, json (default: table)'
complete -c bpftop -n '__bpftop_is profile' -l type -x -a '(__fish_append , array percpu_array hash hash_no_prealloc percpu_hash lru_hash lru_percpu_hash lpm_trie)' -d 'map types (default: all: array, percpu_array, hash, hash_no_prealloc, percpu_hash, lru_hash, lru_percpu_hash, lpm_trie)'
complete -c bpftop -n '__bpftop_is profile' -l operation -x -a '(__fish_append , lookup update_existing update_new delete get_next_key lookup_batch update_batch delete_batch lookup_and_delete_batch)' -d 'operations (default: all: lookup, update_existing, update_new, delete, get_next_key, lookup_batch, update_batch, delete_batch, lookup_and_delete_batch)'
complete -c bpftop -n '__bpftop_is profile' -l entries -x -d 'max_entries of the map (default: 10000)'
complete -c bpftop -n '__bpftop_is profile' -l key-size -x -d 'bytes per key (default: 4 for arrays, else 8)'
complete -c bpftop -n '__bpftop_is profile' -l value-size -x -d 'bytes per value (default: 16)'
complete -c bpftop -n '__bpftop_is profile' -l fill -x -d 'percent of the entries in use (default: 75)'
complete -c bpftop -n '__bpftop_is profile' -l access -x -a '(__fish_append , sequential uniform zipf)' -d 'order of the keys: sequential, uniform, zipf (default: uniform)'
complete -c bpftop -n '__bpftop_is profile' -l batch -x -d 'keys per batch (default: 1, 4, 16 .. 4096)'
complete -c bpftop -n '__bpftop_is profile' -l threads -x -d 'threads on the same map, each pinned to a CPU (default: 1)'
complete -c bpftop -n '__bpftop_is profile' -l runs -x -d 'runs per combination, at least 5 (default: 5)'
complete -c bpftop -n '__bpftop_is profile' -l run-ms -x -d 'milliseconds per run from user space (default: 8)'
complete -c bpftop -n '__bpftop_is profile' -l seed -x -d 'seed of keys, values and random order (default: 1)'
complete -c bpftop -n '__bpftop_is profile' -l memory-limit -x -d 'memory limit of a temporary map (default: 256)'
complete -c bpftop -n '__bpftop_is profile bench' -l format -x -a 'table json csv' -d 'table, json, csv (default: table)'
complete -c bpftop -n '__bpftop_is profile maps' -a '(__bpftop_maps)'
complete -c bpftop -n '__bpftop_is bench' -l list -d 'list the suites and the programs that each compares, and exit'
complete -c bpftop -n '__bpftop_is bench' -l object -r -F -d 'measure your own program in each of these object files instead of suites'
complete -c bpftop -n '__bpftop_is bench' -l program -x -d 'name of the program in each object file (default: the only one)'
complete -c bpftop -n '__bpftop_is bench' -l packet -r -F -d 'frame to run your programs on, or a pcap file with frames (default: UDP, TCP, SYN, IPv6, VLAN, ARP); the frame is not restored between runs, so changes that a program makes to it add up'
complete -c bpftop -n '__bpftop_is bench' -l repeat -x -d 'runs per measurement (default: about 0.3 ms, for XDP 10 ms)'
complete -c bpftop -n '__bpftop_is bench' -a 'counters spills dispatch calls layout access helpers clock probe-read prealloc tracing batch populate mmap'
complete -c bpftop -n '__bpftop_is progs' -l watch -d 'measure and print again and again, until Ctrl-C'
complete -c bpftop -n '__bpftop_is progs' -l sort -x -d 'column to sort by, the largest first (default: cpu)'
complete -c bpftop -n '__bpftop_is progs' -l disassemble -d 'print the translated instructions of the named programs, with their source lines where BTF has them'
complete -c bpftop -n '__bpftop_is progs maps' -l format -x -a 'table json csv openmetrics' -d 'table, json, csv, openmetrics (default: table)'
complete -c bpftop -n '__bpftop_is progs' -a '(__bpftop_programs)'
complete -c bpftop -n '__bpftop_is maps' -s i -l interval -x -d 'seconds between two readings, for rates (default: none for entries, 1 for the list)'
complete -c bpftop -n '__bpftop_is maps' -l watch -d 'read and print again and again, until Ctrl-C'
complete -c bpftop -n '__bpftop_is maps' -l limit -x -d 'most maps, or entries of a map, to print (default: 1000 entries)'
complete -c bpftop -n '__bpftop_is maps' -l search -x -d 'only maps with this text in id, type, name, programs or owners; of a map, only entries with this text in key or value, of the first 100000'
complete -c bpftop -n '__bpftop_is maps' -l sort -x -d 'sort the list by a column, or the entries of a map by a field of the value, the largest first'
complete -c bpftop -n '__bpftop_is maps' -l per-cpu -d 'as a table: also the value of each CPU'
complete -c bpftop -n '__bpftop_is doctor' -l all -d 'also on a terminal: what each probe found that worked, a line each'
complete -c bpftop -n '__bpftop_is doctor' -l timing -d 'also measure the time of each collector, and of a whole tick against the budget'

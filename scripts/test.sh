#!/usr/bin/env bash
# ./gemel test [--long] [PART...]: every test, or the parts named. Installs what is missing, says what each
# part took, and ends with one line: N passed, M failed, K skipped. Exit status 2 if anything failed.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
export GEMEL_ROOT=$root
. "$root/scripts/common.sh"
cd "$root" || exit 2

parts=(packages layout docs models hosted coverage mutants tidy system-hosted sim record explore fuse posix terminal gdb asan system-asan
    x86_64 native-x86_64 system-x86_64 iso arm64 native-arm64 system-arm64 size headers)
long_parts=(tsan processors campaign crash-long images explore-slurm sim-asan sim-long preempt preempt-long false-alarms planted bare)

usage() {
    cat <<TEXT
usage: ./gemel test [--long] [PART...]

Without PART: everything but the nightly parts; --long adds those.
parts:    ${parts[*]}
nightly:  ${long_parts[*]}
TEXT
}

# --- counting -----------------------------------------------------------------------------------
passed=0 failed=0 skipped=0
part_passed=0 part_failed=0 part_skipped=0

what_failed= # said again at the end: what a log of this length shows of its middle may be little

# note_failures TITLE LOG: the lines that name a test that failed, with what ctest shows of its last words.
note_failures() {
    what_failed+="$1:"$'\n'$(grep -aE -A 6 '^(FAIL|FAILED|failed) |\*\*\*(Failed|Exception|Timeout|Not Run)|^(core|servers|tests|.*_test\.cpp).*Failure$' "$2" |
        cut -c1-300 | head -n 40 | sed 's/^/    /')$'\n'
}

# check TITLE COMMAND...: one test that is a command.
check() {
    local title=$1
    shift
    if "$@"; then
        part_passed=$((part_passed + 1))
    else
        part_failed=$((part_failed + 1))
        what_failed+="$title"$'\n'
        say "FAILED: $title"
    fi
}

# counted TITLE COMMAND...: a command that runs many tests and ends with `N passed, M failed, K skipped`.
# Without that line, or with a bad exit status and no failure counted, it is one failure.
counted() {
    local title=$1 log status line
    shift
    log=$(mktemp)
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
    [ "$status" = 0 ] && [[ $line == *" 0 failed,"* ]] || note_failures "$title" "$log"
    rm -f "$log"
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        part_passed=$((part_passed + BASH_REMATCH[1]))
        part_failed=$((part_failed + BASH_REMATCH[2]))
        part_skipped=$((part_skipped + BASH_REMATCH[3]))
        [ "$status" = 0 ] || [ "${BASH_REMATCH[2]}" != 0 ] || part_failed=$((part_failed + 1))
    else
        part_failed=$((part_failed + 1))
        say "FAILED: $title (status $status, no count)"
    fi
}

# ctest's own last line, as ours. Fails when there was no test at all.
run_ctest() {
    local tree=$1 log status
    log=$(mktemp)
    ctest --test-dir "$tree" --output-on-failure --no-tests=error -j "$(nproc)" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+)$/\1 \2/p' "$log" |
        { read -r bad all && echo "$((all - bad)) passed, $bad failed, 0 skipped"; }
    rm -f "$log"
    return "$status"
}

# in_shell COMMAND...: a function of common.sh that would end the script, kept to its own process.
in_shell() { ("$@"); }

# built PRESET: what a part runs is of the sources as they are. Nothing is said or counted when it is.
built() {
    in_shell build "$1" && return
    part_failed=$((part_failed + 1))
    return 1
}

# --- parts --------------------------------------------------------------------------------------
part_packages() {
    check "packages" in_shell packages_need build test x86_64 arm64 boot-x86_64 boot-arm64 iso gdb
}

part_layout() { # the layout of every source file is clang-format's
    local files
    mapfile -t files < <(git ls-files '*.cpp' '*.hpp')
    check "layout of ${#files[@]} files (clang-format-14 -i mends it)" \
        clang-format-14 --dry-run --Werror "${files[@]}"
}

part_tidy() { built hosted && counted tidy python3 tests/tidy/tidy.py; }
part_headers() {
    built hosted && built x86_64 && built arm64 && counted "headers" python3 tests/tidy/headers.py
}
part_docs() { counted docs python3 tests/docs/check.py; }

part_models() { # where the kernel's atomicity ends
    check "packages of the models" in_shell packages_need models
    counted "models" python3 tests/models/run.py
}

part_hosted() {
    check "build of hosted" in_shell build hosted
    counted "unit tests" run_ctest build/hosted
}

part_system-hosted() {
    built hosted || return
    counted "guards of stacks, hosted" python3 tests/native/guards.py hosted
    counted "system tests, hosted" python3 tests/system/run.py --face hosted
    counted "where text lies, hosted" python3 tests/system/places.py hosted
    counted "system tests, hosted, on two processors" python3 tests/system/run.py --face hosted --cpus 2
    counted "storms and misdeeds, hosted, on two host threads" python3 tests/system/run.py --face hosted --cpus 2 \
        --host-threads tests/system/storm.test tests/system/mischief.test tests/system/services.test \
        tests/system/pager.test tests/system/shell.test tests/system/files.test
    counted "shares of the processor, hosted, in virtual time" python3 tests/schedule/run.py --face hosted
    counted "misdeeds, hosted, each task walled in" python3 tests/system/run.py --face hosted --isolate \
        tests/system/mischief.test tests/system/shell.test
}
part_fuse() { built hosted && counted "mounts of the host" python3 tests/fuse/run.py; }
part_posix() { built hosted && counted "the POSIX suite" python3 tests/posix/run.py; }
part_terminal() { built hosted && counted "terminal tests" python3 tests/system/terminal.py; }
part_gdb() {
    built hosted || return
    counted "debugger tests" python3 tests/gdb/run.py
    counted "time travel" python3 tests/gdb/travel.py
}

part_asan() {
    check "build of hosted-asan" in_shell build hosted-asan
    counted "unit tests under ASan and UBSan" run_ctest build/hosted-asan
}

part_sim() {
    built hosted || return
    counted "the simulator" python3 tests/sim/run.py
    counted "walks" python3 tests/walk/run.py
}
part_record() { built hosted && counted "recorded sessions" python3 tests/record/run.py; }
part_explore() {
    counted "campaigns of a script" python3 tests/explore/stubbed.py
    built hosted && counted "campaigns" python3 tests/explore/run.py
}
part_explore-slurm() {
    check "packages of the night" in_shell packages_need nightly
    built hosted && counted "campaigns on Slurm" python3 tests/explore/run.py slurm
}
# Threads stopped inside their code: the build is clang's, so it is no part of what everyone runs.
part_preempt() {
    check "packages of the build by clang" in_shell packages_need preempt
    built hosted && built hosted-preempt && counted "threads stopped inside their code" python3 tests/preempt/run.py
}
part_preempt-long() {
    check "packages of the build by clang" in_shell packages_need preempt
    built hosted-preempt && built hosted-preempt-memory &&
        counted "threads stopped inside their code, long" python3 tests/preempt/run.py long
}
part_sim-asan() {
    check "build of hosted-asan" in_shell build hosted-asan
    counted "the simulator under ASan and UBSan" python3 tests/sim/run.py --other hosted-asan
    counted "debugger tests under ASan and UBSan" python3 tests/gdb/run.py --preset hosted-asan \
        waiting_caller core_file_of_the_host objects
    counted "time travel under ASan and UBSan" python3 tests/gdb/travel.py --preset hosted-asan \
        goto_is_exact instructions reverse_continue power_cut
}
part_sim-long() { counted "the simulator, long" python3 tests/sim/run.py pairs compilers; }

part_system-asan() {
    built hosted-asan &&
        counted "system tests under ASan and UBSan" \
            python3 tests/system/run.py --face hosted --preset hosted-asan
}

part_native-x86_64() {
    built x86_64 &&
        counted "kernel tests on x86_64" python3 tests/native/run.py kernel --face x86_64
}
part_native-arm64() {
    built arm64 &&
        counted "kernel tests on arm64" python3 tests/native/run.py kernel --face arm64
}

# The kernel on one, two and more processors, by one thread of QEMU: a busy host costs time, not failures.
many_processors() {
    local face=$1 cpus
    for cpus in 1 2 4; do
        counted "$cpus processors on $face" python3 tests/native/run.py smp --face "$face" --cpus "$cpus" \
            --thread single
    done
    # Instructions are the clock: QEMU changes processors between any two of them, the same each time.
    counted "messages on 4 processors of $face, by instructions" python3 tests/native/run.py smp \
        --face "$face" --cpus 4 --thread single --icount 8 --variables storms=100
    counted "the kernel on 8 processors of $face" python3 tests/native/run.py kernel --face "$face" --cpus 8 \
        --thread single
}

# Random calls: the kernel goes on and its books balance; and the same calls give the same everywhere.
random_calls() {
    local face=$1
    in_shell build hosted native_fuzz || return
    counted "attacks on $face" python3 tests/native/run.py attack --face "$face"
    counted "attacks on two processors of $face" python3 tests/native/run.py attack --face "$face" --cpus 2 \
        --thread single
    counted "random calls on $face" python3 tests/native/run.py fuzz --face "$face" --variables "rounds=100 seed=1"
    counted "random calls on two processors of $face" python3 tests/native/run.py fuzz --face "$face" \
        --variables "rounds=20 seed=2" --cpus 2 --thread single
    counted "the same calls on $face and hosted" python3 tests/native/run.py traces --face "$face"
    counted "a difference on $face is found" python3 tests/native/run.py traces --plant --face "$face"
}

part_x86_64() {
    check "build of x86_64" in_shell build x86_64
    counted "guards of stacks on x86_64" python3 tests/native/guards.py x86_64
    counted "programs that can lie anywhere on x86_64" python3 tests/native/pie.py x86_64
    counted "where init lies on x86_64" python3 tests/native/run.py places --face x86_64
    counted "the kernel on x86_64" python3 tests/native/run.py kernel --face x86_64
    counted "address spaces on x86_64" python3 tests/native/run.py spaces --face x86_64
    counted "instructions of the kernel's paths on x86_64" \
        python3 tests/native/run.py bench --gate --face x86_64
    many_processors x86_64
    random_calls x86_64
    counted "the kernel on an old x86_64" python3 tests/native/run.py kernel --face x86_64 --cpu qemu64
}
part_system-x86_64() {
    built hosted && built x86_64 || return
    counted "system tests on x86_64" python3 tests/system/run.py --face x86_64
    counted "where text lies on x86_64" python3 tests/system/places.py x86_64
    counted "a debugger on x86_64" python3 tests/gdb/native.py
    counted "the POSIX suite on x86_64" python3 tests/posix/run.py x86_64
    counted "shares of the processor on x86_64, by instructions" python3 tests/schedule/run.py --face x86_64
}
part_arm64() {
    check "build of arm64" in_shell build arm64
    local cpu gic
    counted "guards of stacks on arm64" python3 tests/native/guards.py arm64
    counted "programs that can lie anywhere on arm64" python3 tests/native/pie.py arm64
    counted "where init lies on arm64" python3 tests/native/run.py places --face arm64
    counted "the kernel on arm64" python3 tests/native/run.py kernel --face arm64
    counted "address spaces on arm64" python3 tests/native/run.py spaces --face arm64
    for cpu in cortex-a53 cortex-a72 max; do
        for gic in 2 3; do
            counted "the kernel on a $cpu, GICv$gic" python3 tests/native/run.py kernel --face arm64 \
                --cpu "$cpu" --machine "gic-version=$gic"
        done
    done
    counted "instructions of the kernel's paths on arm64" \
        python3 tests/native/run.py bench --gate --face arm64
    many_processors arm64
    random_calls arm64
    counted "the kernel entered at EL2" python3 tests/native/run.py kernel --face arm64 \
        --machine gic-version=3,virtualization=on
}
part_system-arm64() {
    built hosted && built arm64 || return
    counted "system tests on arm64" python3 tests/system/run.py --face arm64
    counted "where text lies on arm64" python3 tests/system/places.py arm64
    counted "the POSIX suite on arm64" python3 tests/posix/run.py arm64
    counted "shares of the processor on arm64, by instructions" python3 tests/schedule/run.py --face arm64
}
part_iso() {
    built hosted && built x86_64 &&
        counted "the ISO under BIOS and UEFI" python3 tests/system/iso.py
}
part_size() {
    built x86_64 && built arm64 &&
        counted "size of the resident kernel" scripts/size.sh --gate
}

part_tsan() {
    check "build of hosted-tsan" in_shell build hosted-tsan
    counted "unit tests under TSan" run_ctest build/hosted-tsan
    built hosted && counted "simulated runs that look for races" python3 tests/sim/races.py
}

part_processors() { # every system test on several processors, and QEMU's own threads
    local cpus face
    for cpus in 2 4; do
        for face in hosted x86_64 arm64; do
            counted "system tests on $cpus processors, $face" \
                python3 tests/system/run.py --face "$face" --cpus "$cpus"
        done
        counted "system tests on $cpus host threads" \
            python3 tests/system/run.py --face hosted --cpus "$cpus" --host-threads
    done
    counted "system tests, hosted, each task walled in" python3 tests/system/run.py --face hosted --isolate
    for face in x86_64 arm64; do
        counted "races on $face, a host thread for each processor" \
            python3 tests/native/run.py smp --face "$face" --cpus 2 --thread multi
    done
}

part_campaign() { # more seeds of what is random
    local seed
    for seed in 1 2 3 4 5; do
        counted "system tests, seed $seed" python3 tests/system/run.py --face hosted --seed "$seed"
    done
    local face
    for face in x86_64 arm64; do
        for seed in 11 12 13; do
            counted "many random calls on $face, seed $seed" python3 tests/native/run.py fuzz --face "$face" \
                --variables "rounds=1000 seed=$seed"
            counted "many random calls on two processors of $face, seed $seed" python3 tests/native/run.py fuzz \
                --face "$face" --variables "rounds=200 seed=$seed" --cpus 2
        done
        counted "longer traces on $face" python3 tests/native/run.py traces --face "$face" --variables steps=400
    done
    check "every order of steps, deeper" env GEMEL_EXPLORE_MORE=1 GEMEL_EXPLORE_EVERYTHING=7 \
        build/hosted/tests/explore_test
    check "the kernel and its model, ten million steps" \
        env GEMEL_MODEL_STEPS=10000000 GEMEL_MODEL_SEED=$RANDOM build/hosted/tests/model_test
    check "every call and operation at random, ten million steps" \
        env GEMEL_STORM_STEPS=10000000 GEMEL_STORM_SEED=$RANDOM GEMEL_STORM_TABLE=1 build/hosted/tests/model_storm_test
}

# All pairs of operations, sequences of 500, e2fsck on every state: other ones each night.
part_crash-long() {
    built hosted && check "power cuts, long" env GEMEL_TEST_LONG=1 GEMEL_TEST_SEED=$RANDOM \
        build/hosted/tests/ext4/ext4_crash_test
}

part_images() { # with damaged metadata: a million in the long run, each night goes on where the last one ended
    built hosted && check "images with damaged metadata" env GEMEL_TEST_LONG=1 \
        build/hosted/tests/fuzz/ext4_image_fuzz --resume build/ext4_image_fuzz.total 1800
}

part_mutants() {
    check "build of the mutants" in_shell build hosted mutant_test
    counted "mutants of the kernel" python3 tests/mutants/run.py
}

part_coverage() {
    check "build of the kernel that counts branches" in_shell build hosted coverage
    counted "branches of the kernel" python3 tests/coverage/run.py
}

part_planted() {
    check "build of the planted defects" tests/campaign/planted/build.sh
    counted "planted defects that the simulator has to find" python3 tests/campaign/planted/run.py
}

part_false-alarms() {
    built hosted && counted "seeds without faults" python3 tests/campaign/false_alarms.py
}

part_bare() { counted "the first start on a bare Debian" tests/bare/run.sh; }

# --- running ------------------------------------------------------------------------------------
run_part() {
    local name=$1 began=$SECONDS
    part_passed=0 part_failed=0 part_skipped=0
    printf '\n=== %s\n' "$name"
    "part_$name" </dev/null
    passed=$((passed + part_passed)) failed=$((failed + part_failed)) skipped=$((skipped + part_skipped))
    summary+=$(printf '%-14s %4d passed %3d failed %3d skipped   %2d min %02d s' "$name" "$part_passed" \
        "$part_failed" "$part_skipped" $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60)))$'\n'
}

chosen=()
for word in "$@"; do
    case $word in
    -h | --help) usage; exit 0 ;;
    --long) parts+=("${long_parts[@]}") ;;
    *)
        declare -F "part_$word" >/dev/null || { say "no such part: $word"; usage >&2; exit 1; }
        chosen+=("$word")
        ;;
    esac
done
if [ ${#chosen[@]} = 0 ]; then
    chosen=("${parts[@]}")
else # whatever part it is: it finds its tools
    in_shell packages_need build test x86_64 arm64 boot-x86_64 boot-arm64 iso gdb || exit 2
fi

summary=
host_check
for name in "${chosen[@]}"; do
    run_part "$name"
done
[ "$what_failed" = "" ] || printf '\n=== what failed\n%s' "$what_failed"
printf '\n%s\n%d passed, %d failed, %d skipped\n' "$summary" "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ $((passed)) -gt 0 ] || exit 2

# What the scripts share. Source it first: it moves to the root of the repository.
# shellcheck shell=bash
set -euo pipefail

SCRIPT=$(realpath "$0")
PROGRAM=$(basename "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The message on one line, and out: exit code 1, or the one given.
die() {
  printf '%s: %s\n' "$PROGRAM" "$1" >&2
  exit "${2:-1}"
}

# What a person would like to know while it runs.
say() { printf '%s: %s\n' "$PROGRAM" "$1" >&2; }

# The comment at the head of the calling script is its help.
print_help() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$SCRIPT"; }

bad_option() { die "unknown option '$1' (see $PROGRAM --help)" 2; }

# The value of option $1, which is $2 if there is one (pass "${@:2:1}").
need_value() { [[ $# -ge 2 && -n $2 ]] || die "$1 needs a value (see $PROGRAM --help)" 2; }

is_count() { [[ $1 =~ ^[1-9][0-9]{0,5}$ ]]; }

PRESETS='release debug asan tsan clang'
check_preset() {
  [[ " $PRESETS " == *" $1 "* ]] || die "unknown preset '$1' (valid: $PRESETS)" 2
}

jobs() { printf '%s\n' "${TANDEM_JOBS:-$(nproc)}"; }

# The tree's files that match the given patterns: what git knows or would add.
tree_files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard -- "$@"
  else
    local names=() pattern
    for pattern in "$@"; do names+=(-o -name "${pattern##*/}"); done
    find . \( -path ./build -o -path ./out -o -path ./.git \) -prune -o \
      -type f \( "${names[@]:1}" \) -print | sed 's|^\./||'
  fi | sort -u | while IFS= read -r file; do
    # git also lists what has been deleted and not yet committed.
    if [[ -f $file ]]; then printf '%s\n' "$file"; fi
  done
}

# Memory layouts that ThreadSanitizer of GCC 12 refuses come from strong randomisation: its
# programs run without, where the system lets us say so.
without_randomisation() {
  if setarch "$(uname -m)" -R true 2>/dev/null; then
    setarch "$(uname -m)" -R "$@"
  else
    "$@"
  fi
}

# Configures a preset: build/PRESET. Quiet unless it fails.
configure() {
  local preset=$1 log=build/$1/configure.log
  mkdir -p "build/$preset"
  if ! cmake --preset "$preset" >"$log" 2>&1; then
    cat "$log" >&2
    die "configuring preset $preset failed; the reason is above"
  fi
}

# Configures a preset and builds its given targets, or all.
build() {
  local preset=$1 targets=()
  shift
  if [[ $# -gt 0 ]]; then targets=(--target "$@"); fi
  configure "$preset"
  local command=(cmake --build --preset "$preset" --parallel "$(jobs)" "${targets[@]}")
  if [[ $preset == tsan ]]; then command=(without_randomisation "${command[@]}"); fi
  "${command[@]}" || die "building preset $preset failed; the reason is above"
}

# Completion of nodeinit for bash. Made by tests/lint/completion.py from --help; not to be edited.

_nodeinit() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words at
  COMPREPLY=()
  if [ "${COMP_WORDS[1]}" = ctl ] && [ "$COMP_CWORD" -gt 1 ]; then
    if [ "$COMP_CWORD" -eq 2 ]; then
      words='status top reload scale restart stop signal health events stack cpu-profile heap-snapshot heap-stats report import-pm2'
    else
      words=
      case ${COMP_WORDS[2]} in
        status) words='--json' ;;
        stop) words='--quick' ;;
        health) words='live ready' ;;
        cpu-profile) words='s' ;;
        import-pm2) COMPREPLY=($(compgen -f -- "$word")); return ;;
      esac
      words="$words --program --control"
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  case $before in
    --mode) COMPREPLY=($(compgen -W 'auto cluster single' -- "$word")) ;;
    --balance) COMPREPLY=($(compgen -W 'kernel shared round-robin client-ip' -- "$word")) ;;
    --ready) COMPREPLY=($(compgen -W 'listen message online' -- "$word")) ;;
    --stop) COMPREPLY=($(compgen -W 'auto drain signal' -- "$word")) ;;
    --drain) COMPREPLY=($(compgen -W 'auto' -- "$word")) ;;
    --stop-signal) COMPREPLY=($(compgen -W 'auto' -- "$word")) ;;
    --restart) COMPREPLY=($(compgen -W 'auto always on-failure never' -- "$word")) ;;
    --heap) COMPREPLY=($(compgen -W 'auto off' -- "$word")) ;;
    --module) COMPREPLY=($(compgen -W 'auto off' -- "$word")) ;;
    --adopt) COMPREPLY=($(compgen -W 'auto off' -- "$word")) ;;
    --worker-metrics) COMPREPLY=($(compgen -W 'on off' -- "$word")) ;;
    --request-metrics) COMPREPLY=($(compgen -W 'on off' -- "$word")) ;;
    --resize) COMPREPLY=($(compgen -W 'on reload off' -- "$word")) ;;
    --orphans) COMPREPLY=($(compgen -W 'end keep' -- "$word")) ;;
    --log) COMPREPLY=($(compgen -W 'inherit lines prefix json' -- "$word")) ;;
    --log-json) COMPREPLY=($(compgen -W 'merge wrap' -- "$word")) ;;
    --log-full) COMPREPLY=($(compgen -W 'wait drop' -- "$word")) ;;
    --log-format) COMPREPLY=($(compgen -W 'text json' -- "$word")) ;;
    --http-detail) COMPREPLY=($(compgen -W 'plain full' -- "$word")) ;;
    --root|--config|--control|--termination-log|--env-file|--directory) COMPREPLY=($(compgen -f -- "$word")) ;;
    --root|--config|--mode|--workers|--max-workers|--balance|--ready|--ready-timeout|--ready-workers|--memory|--grace|--stop-delay|--stop|--drain|--stop-signal|--restart|--restart-backoff|--restart-limit|--stop-codes|--max-memory|--max-age|--max-requests|--max-loop-delay|--hang-timeout|--hang-signal|--spares|--surge|--heap|--module|--adopt|--worker-metrics|--request-metrics|--resize|--orphans|--log|--log-json|--log-full|--log-level|--log-format|--http|--http-detail|--control|--signals|--user|--termination-log|--pre-start|--post-stop|--env-file|--slot-variables|--directory) ;;
    *)
      # Behind the command its own words follow: files.
      for ((at = 1; at < COMP_CWORD; ++at)); do
        case ${COMP_WORDS[at]} in
          --) ;;
          --root|--config|--mode|--workers|--max-workers|--balance|--ready|--ready-timeout|--ready-workers|--memory|--grace|--stop-delay|--stop|--drain|--stop-signal|--restart|--restart-backoff|--restart-limit|--stop-codes|--max-memory|--max-age|--max-requests|--max-loop-delay|--hang-timeout|--hang-signal|--spares|--surge|--heap|--module|--adopt|--worker-metrics|--request-metrics|--resize|--orphans|--log|--log-json|--log-full|--log-level|--log-format|--http|--http-detail|--control|--signals|--user|--termination-log|--pre-start|--post-stop|--env-file|--slot-variables|--directory) ((++at)) ;;
          -*) ;;
          *) COMPREPLY=($(compgen -f -- "$word")); return ;;
        esac
      done
      case $word in
        -*) COMPREPLY=($(compgen -W '--explain --json --root --print-config --check --config --version --help --mode --workers --max-workers --balance --ready --ready-timeout --ready-workers --memory --grace --stop-delay --stop --drain --stop-signal --restart --restart-backoff --restart-limit --stop-codes --max-memory --max-age --max-requests --max-loop-delay --hang-timeout --hang-signal --spares --surge --heap --module --adopt --worker-metrics --request-metrics --resize --orphans --log --log-json --log-full --log-level --log-format --http --http-detail --control --signals --user --termination-log --pre-start --post-stop --env-file --slot-variables --directory' -- "$word")) ;;
        *) COMPREPLY=($(compgen -c -- "$word") $(compgen -W 'ctl' -- "$word")) ;;
      esac
      ;;
  esac
}
complete -o default -F _nodeinit nodeinit

/** What a shell runs to complete command lines of dhow. Each asks dhow itself, and shows no errors. */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for dhow: source <(dhow completion bash)
_dhow() {
  local program=\${COMP_WORDS[0]} word line
  type -P -- "$program" >/dev/null 2>&1 || program=dhow
  word=\${COMP_WORDS[COMP_CWORD]}
  [[ $word == = ]] && word=
  COMPREPLY=()
  while IFS= read -r line; do
    line=\${line%%$'\\t'*}
    [[ $line == "$word"* ]] && COMPREPLY+=("$line")
  done < <("$program" __complete bash "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null)
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[=/] ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -o default -F _dhow dhow
`,
  zsh: `#compdef dhow
# zsh completion for dhow: source <(dhow completion zsh)
_dhow() {
  local line
  local -a plain open
  while IFS= read -r line; do
    line=\${line//:/\\\\:}
    line=\${line/$'\\t'/:}
    if [[ \${line%%:*} == *= ]]; then open+=("$line"); else plain+=("$line"); fi
  done < <(dhow __complete zsh "\${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)
  if (( \${#plain} + \${#open} == 0 )); then
    _files
    return
  fi
  (( \${#plain} )) && _describe dhow plain
  (( \${#open} )) && _describe dhow open -S ''
}
if [[ "\${funcstack[1]}" == _dhow ]]; then
  _dhow "$@"
elif (( \${+functions[compdef]} )); then
  compdef _dhow dhow
fi
`,
  fish: `# fish completion for dhow: dhow completion fish | source
function __dhow_complete
  set -l words (commandline -opc)
  set -l last (commandline -ct)
  dhow __complete fish $words[2..-1] "$last" 2>/dev/null </dev/null
end
complete -c dhow -e
complete -c dhow -f -a '(__dhow_complete)'
complete -c dhow -s f -l filename -r -F
complete -c dhow -l kubeconfig -r -F
`,
};

# Read by the shell of every %%bash cell (BASH_ENV): a command that fails stops the cell, and so the build; messages stand
# where they were given; the colours and progress bars that a notebook asks for are left out.
set -e -o pipefail
exec 2>&1
unset FORCE_COLOR CLICOLOR_FORCE
export TERM=dumb

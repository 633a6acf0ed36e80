#!/bin/sh
# under.sh RANKS PROGRAM... - run a program as a job of some ranks on this
# machine; skipped where there is no mpirun.
if ! command -v mpirun >/dev/null 2>&1; then
    echo "there is no mpirun (tools/setup.sh mpi): skipped"
    exit 77
fi
ranks=$1
shift
# More ranks than processors, started by root in a container: both are Open
# MPI's to refuse.  Ranks that wait give their processor away.
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    OMPI_MCA_mpi_yield_when_idle=1 \
    OMPI_MCA_btl_vader_single_copy_mechanism=none \
    exec mpirun --oversubscribe -n "$ranks" "$@"

"""A Slurm of one node, for as long as a test runs: its own key, ports and state, on this machine's loopback."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

START_SECONDS_MAX = 30
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def missing():
    """Why it cannot be had here, or None."""
    if os.geteuid() != 0:
        return "slurmd needs root"
    absent = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    return f"no {' and no '.join(absent)} here (packages slurm-wlm, munge)" if absent else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configuration(folder):
    node = socket.gethostname().split(".")[0]
    return f"""ClusterName=gemel
SlurmctldHost={node}(127.0.0.1)
SlurmUser=root
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
NodeName={node} NodeAddr=127.0.0.1 CPUs={os.cpu_count()}
PartitionName=all Nodes={node} Default=YES MaxTime=10 State=UP
"""


@contextlib.contextmanager
def running():
    """The environment in which sbatch and sinfo find it. Its processes are ended, by their own numbers."""
    with tempfile.TemporaryDirectory(prefix="gemel-slurm-node-") as folder:
        os.chmod(folder, 0o755)
        for name in ("state", "spool"):
            os.mkdir(f"{folder}/{name}")
        with open(f"{folder}/munge.key", "wb") as key:
            os.fchmod(key.fileno(), 0o600)
            key.write(os.urandom(128))
        with open(f"{folder}/slurm.conf", "w", encoding="utf-8") as conf:
            conf.write(configuration(folder))
        environment = dict(os.environ, PATH=PATH, SLURM_CONF=f"{folder}/slurm.conf")
        munge = ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key", f"--socket={folder}/munge.socket",
                 f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"]
        processes = []
        try:
            for words in (munge, ["slurmctld", "-D", "-i"], ["slurmd", "-D"]):
                with open(f"{folder}/{words[0]}.out", "wb") as out:
                    processes.append(subprocess.Popen(words, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL))
                time.sleep(0.5)
            wait_until_idle(environment, folder)
            yield environment
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def wait_until_idle(environment, folder):
    said = ""
    for _ in range(START_SECONDS_MAX * 4):
        done = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
        said = done.stdout.strip() or done.stderr.strip()
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.25)
    logs = ""
    for name in ("munged.out", "slurmctld.log", "slurmd.log", "slurmd.out"):
        with contextlib.suppress(OSError), open(f"{folder}/{name}", encoding="utf-8", errors="replace") as log:
            logs += f"\n--- {name}\n" + "".join(log.readlines()[-5:])
    raise RuntimeError(f"Slurm did not come up: {said}{logs}")

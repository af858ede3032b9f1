"""The runs of `auto.ipynb`: `python auto_runs.py FOLDER [JOBS]` carries out those that are not in FOLDER yet, JOBS at a
time (2), one thread each, and goes on where it was stopped; with `collect` for JOBS it makes `auto_runs.npz` of them.

Written down on 2026-11-29, before the first of these runs, after trials with another draw of patients (100).

Question: is strategy `auto` as good as the better of two full fine-tunings, in less time? Five situations: 500 and
100 chest X-rays, 500 and 100 fundus photographs with eight labels, RetinaMNIST (nine in ten of its training images).
Ten draws of training patients; validation and test as they are; 450 steps of 16 images a run.
Arms, each with one rate from the trials: `none`, batch norm by the batch, 3e-3 for all stages (what everyone does);
`none`, statistics kept, head 3e-3 and body a tenth; `auto`, 3e-4; `balanced` in kept statistics, 1e-3, each stage with
its own cosine and the head of the probe.
The answer of a run is that of its last epoch, the mean of the logits of each test image and its mirror image, for all.
Figures: AUROC on the test split, macro. Primary: the mean over situations of `auto` less the better `none` (of the two
means of a situation), bootstrap over draws and test patients. Won: its lower 95 % bound is above -1 point, and the
time, processor seconds of training without validation, with the probe, is at most .75 of `none` by the batch (geometric
mean). Better on few labels: the mean over the two situations of 100 images is above 0 with its interval.
Also kept: what the probe says, for the question whether the mean of probe and network is better than the network.
The question was changed: never.
"""
import json,os,sys,time
for o in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ[o] = '1'
from functools import cache
from pathlib import Path
from typing import NamedTuple
from resumable import collect,work_off

STEPS,BS,DRAWS,LABELS = 450,16,range(10),tuple('NDGCAHMO')
SETS = dict(chest_500=('chest_xray/labels.csv', 64, 500), chest_100=('chest_xray/labels.csv', 64, 100),
            fundus_500=('fundus_multilabel/labels.csv', 48, 500), fundus_100=('fundus_multilabel/labels.csv', 48, 100),
            retina=('retinamnist.npz', 48, 972))                 # file, side of the images in pixels, training images
ARMS = {'none': dict(strategy='none', lr=3e-3, profile='uniform', statistics='batch'),
        'none, kept': dict(strategy='none', lr=3e-3, profile='tenth', statistics='kept'),
        'auto': dict(strategy='auto'),
        'balanced': dict(strategy='balanced', lr=1e-3, fit='scale', curve='own', head='probe')}

class Job(NamedTuple):
    "A run"
    set:str
    arm:str
    draw:int
    @property
    def name(self): return f"{self.set}-{self.arm.replace(', ', '_')}-{self.draw}"

def jobs(): return [Job(k, arm, draw) for draw in DRAWS for k in SETS for arm in ARMS]

class Memory:
    "Opens each image once"
    def __init__(self, open): self.open = cache(open)
    def __call__(self, key, size): return self.open(key, size)

@cache
def table(key, draw):
    "The images of a set, with the training patients of a draw"
    from dataclasses import replace
    from medprog.data.table import read_table
    data = Path(os.environ.get('DATA', Path(__file__).parent/'../../../shared/data')).resolve()
    file,size,n = SETS[key]
    cols = dict(label_cols=LABELS) if key.startswith('fundus') else {}
    t = read_table(data/file, size=size, train_images=n, draw_seed=draw, check=False, **cols)
    return replace(t, open=Memory(t.open))

def carry_out(job):
    "Train, and say what the last epoch and the probe make of validation and test, and the time"
    from fastai.torch_core import set_seed
    from medprog.network.pooled import Mirrored
    from medprog.schedule import resolve_schedule
    from real import decoded_dls,learner,logits,timed_fit
    set_seed(job.draw, reproducible=True)
    dls = decoded_dls(table(job.set, job.draw), BS)
    learn,epochs = learner(dls),round(STEPS/len(dls.train))
    s = resolve_schedule(epochs=epochs, **ARMS[job.arm])
    at,probe = time.process_time(),None
    if s.head!='new': probe = learn.probe()
    seconds = dict(probe=time.process_time()-at)
    if probe: learn.use_probe(probe)
    seconds['training'] = timed_fit(learn, s, job.draw)
    models = dict(last=Mirrored(learn.model)) | (dict(probe=probe.model) if probe else {})
    said = {f'{split}_{k}': logits(m, dls, i).astype('float32')
            for k,m in models.items() for i,split in ((1,'valid'), (2,'test'))}
    return dict(epochs=epochs, steps=epochs*len(dls.train), images=len(dls.train_ds), **seconds),said

if __name__=='__main__':
    folder,n = Path(sys.argv[1]).resolve(),sys.argv[2] if len(sys.argv)>2 else '2'
    folder.mkdir(parents=True, exist_ok=True)
    if n!='collect': sys.exit(work_off(folder, int(n), jobs, carry_out, json.dumps))
    collect(folder, Path(__file__).with_name('auto_runs.npz'), {k: table(k, 0) for k in SETS})

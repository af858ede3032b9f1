"""The runs of `phantom.ipynb`: `python phantom_runs.py FOLDER [JOBS]` carries out those that are not in FOLDER yet,
JOBS at a time (2), one thread each, and goes on where it was stopped, inside a run, too; with `collect` for JOBS it
makes `phantom_runs.npz` of them.

Question (never changed; the phantom was, before these runs): does the README's first command show what phases are
for? It is `train(Recipe())`: ResNet50, random weights, the phantom, 30 epochs of `balanced`. Five seeds, by which
weights, batches and augmentation go; the patients are the same. Wanted, in the mean of the seeds: a validation AUROC
of .65 to .75 at the end of phase head and of .85 to .93 at the end of phase all, more at the end of each phase than
at that of the one before, and at most 600 processor seconds a run. And with ImageNet's weights (EfficientNet-Lite0,
the same recipe and seeds) at least as much at the end.
"""
import json,os,sys,time
for o in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ[o] = '1'
from pathlib import Path
from typing import NamedTuple
from fastcore.basics import noop
from resumable import collect,work_off

SEEDS,NETWORKS = range(5),('resnet50', 'imagenet')

class Job(NamedTuple):
    "A run"
    network:str
    seed:int
    @property
    def name(self): return f'{self.network}-{self.seed}'

def jobs(): return [Job(k, seed) for k in NETWORKS for seed in SEEDS]

def carry_out(job):
    "Train as the first command does; the test split's AUROC, what each phase ended with, and processor seconds"
    import pandas as pd
    from medprog.recipe import Recipe
    from medprog.train import train
    from real import learner
    recipe = Recipe(seed=job.seed, weights='none', logdir=os.environ['PHANTOM_RUNS'], name=job.name)
    begun,at = (Path(recipe.logdir)/job.name).exists(),time.process_time()
    folder = train(recipe, say=noop, resume=True, learner=learner if job.network=='imagenet' else None)
    seconds = None if begun else round(time.process_time()-at)           # of a run that went on only a part is known
    history,preds = pd.read_csv(folder/'history.csv'),pd.read_csv(folder/'predictions.csv')
    test = json.loads((folder/'metrics.json').read_text())['auroc']['value']
    ends = history[history.phase!=history.phase.shift(-1)]
    facts = dict(test=test, seconds=seconds, ends=dict(zip(ends.phase, ends.auroc)))
    return facts,dict(auroc=history.auroc, test=preds.p_malignant)

if __name__=='__main__':
    folder,n = Path(sys.argv[1]).resolve(),sys.argv[2] if len(sys.argv)>2 else '2'
    os.environ['PHANTOM_RUNS'] = str(folder/'runs')
    (folder/'runs').mkdir(parents=True, exist_ok=True)
    if n!='collect': sys.exit(work_off(folder, int(n), jobs, carry_out, json.dumps))
    collect(folder, Path(__file__).with_name('phantom_runs.npz'), {})

"""The runs of `phantom.ipynb`: `python phantom_runs.py FOLDER [JOBS]` carries out those that are not in FOLDER yet,
JOBS at a time (2), one thread each, and goes on where it was stopped, inside a run, too; with `collect` for JOBS it
makes `phantom.csv` of them.

Question: does the README's first command show what phases are for? It is `train(Recipe())`: ResNet50, random weights,
the phantom, 30 epochs of `balanced`; five seeds, which weights, batches and augmentation go by, while the patients are
the same. Wanted: validation AUROC of .65 to .75 at the end of phase head and of .85 to .93 at the end of phase all, a
rise from phase to phase, each in the mean of the seeds, and at most 600 processor seconds a run. And with ImageNet
weights (EfficientNet-Lite0, the same recipe and seeds) at least as much at the end.
"""
import json,os,sys,time
for o in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ[o] = '1'
from pathlib import Path
from typing import NamedTuple
from resumable import work_off

SEEDS,NETWORKS = range(5),('resnet50', 'imagenet')

class Job(NamedTuple):
    "A run"
    network:str
    seed:int
    @property
    def name(self): return f'{self.network}-{self.seed}'

def jobs(): return [Job(k, seed) for k in NETWORKS for seed in SEEDS]

def carry_out(job):
    "Train as the first command does; validation AUROC of each epoch, and what phases end with; AUROC of the test split"
    import pandas as pd
    from medprog.recipe import Recipe
    from medprog.train import train
    from real import learner
    recipe = Recipe(seed=job.seed, weights='none', logdir=os.environ['PHANTOM_RUNS'], name=job.name)
    begun = (Path(recipe.logdir)/job.name).exists()
    at = time.process_time()
    folder = train(recipe, say=lambda _: None, resume=True, learner=learner if job.network=='imagenet' else None)
    seconds = round(time.process_time()-at) if not begun else None       # of a run that went on only a part is known
    history = pd.read_csv(folder/'history.csv')
    test = json.loads((folder/'metrics.json').read_text())['auroc']['value']
    ends = history[history.phase!=history.phase.shift(-1)]
    return dict(test=test, seconds=seconds, **dict(zip(ends.phase, ends.auroc))),dict(auroc=history.auroc)

if __name__=='__main__':
    folder,n = Path(sys.argv[1]).resolve(),sys.argv[2] if len(sys.argv)>2 else '2'
    os.environ['PHANTOM_RUNS'] = str(folder/'runs')
    (folder/'runs').mkdir(parents=True, exist_ok=True)
    if n!='collect': sys.exit(work_off(folder, int(n), jobs, carry_out, json.dumps))
    import numpy as np
    import pandas as pd
    done = [json.loads(str(np.load(o)['facts'])) for o in sorted(folder.glob('*.npz'))]
    pd.DataFrame(done).round(4).to_csv(Path(__file__).with_name('phantom.csv'), index=False)

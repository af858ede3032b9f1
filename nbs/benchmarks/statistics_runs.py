"""The runs of `statistics.ipynb`: `python statistics_runs.py FOLDER [JOBS]` carries out those that are not in FOLDER
yet, JOBS at a time (2), one thread each. What is run, in which order, and what is kept of it, was written down here
before the first run, and changed twice: after 40 runs and before a test figure had been looked at, for time, so that
the seeds after the first run with the rate that the first chooses; and after 140 runs, when test figures had been
looked at, so that an arm whose best rate on validation is the first or the last of its three tries one more beyond."""
import json,os,sys,time
for o in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ[o] = '1'
from functools import cache,partial
from pathlib import Path
from typing import NamedTuple
import numpy as np
import resumable

class Arm(NamedTuple):
    """A strategy, what batch norm goes by where it learns, the rates of the stages,
    and the base rates (the head's) to choose from"""
    strategy:str
    statistics:str
    profile:str
    rates:tuple

MANY,MORE,FEW = (1e-3, 3e-3, 1e-2),(3e-3, 1e-2, 3e-2),(3e-4, 1e-3, 3e-3)
ARMS = {'none': Arm('none', 'batch', 'uniform', MANY), 'none, kept, tenth': Arm('none', 'kept', 'tenth', MANY),
        'lp_ft': Arm('lp_ft', 'batch', 'uniform', MANY), 'lp_ft, kept, tenth': Arm('lp_ft', 'kept', 'tenth', MANY),
        'balanced': Arm('balanced', 'batch', 'transfer', MANY),
        'balanced, kept': Arm('balanced', 'kept', 'transfer', MANY),
        'conservative': Arm('conservative', 'batch', 'transfer', MANY),
        'conservative, kept': Arm('conservative', 'kept', 'transfer', MANY),
        'none, tenth': Arm('none', 'batch', 'tenth', MORE),
        'none, kept': Arm('none', 'kept', 'uniform', FEW), 'lp_ft, kept': Arm('lp_ft', 'kept', 'uniform', FEW)}
EPOCHS,SEEDS,LABELS = 10,(0, 1, 2),tuple('NDGCAHMO')
SETS = dict(chest_500=64, retina=48, fundus_500=48, chest_100=64)         # and the width of their images, in pixels

class Job(NamedTuple):
    "A run"
    set:str
    arm:str
    lr:float
    seed:int
    @property
    def name(self): return f"{self.set}-{self.arm.replace(', ', '_')}-{self.lr:g}-{self.seed}"

def validation(job, folder):
    "AUROC of a finished run on the validation split after its last epoch; None if it isn't finished"
    path = folder/f'{job.name}.npz'
    return json.loads(str(np.load(path)['facts']))['history'][-1][-1] if path.exists() else None

def rates(arm, said):
    """The rates of an arm on a set: its three, and one more beyond where the best on validation is the first
    or the last of them; `said`: AUROC by rate"""
    r = list(arm.rates)
    best = max(r, key=lambda o: said.get(o, 0.))
    if not set(r)<=set(said): return r
    return r+[round(r[-1]*10/3, 6)]*(best==r[-1])+[round(r[0]*3/10, 6)]*(best==r[0])

def jobs(folder):
    """All runs in order: the first seed with all rates, and beyond;
    the other seeds with the rate that is then the best on validation"""
    yield from (Job(k, a, arm.rates[i], SEEDS[0]) for k in SETS for i in (1, 0, 2) for a,arm in ARMS.items())
    best = []
    for k in ('chest_100', 'chest_500', 'fundus_500', 'retina'):
        for a,arm in ARMS.items():
            said = {o: v for o in arm.rates if (v := validation(Job(k, a, o, SEEDS[0]), folder)) is not None}
            tried = [Job(k, a, o, SEEDS[0]) for o in rates(arm, said)]
            yield from tried
            said = {o: validation(o, folder) for o in tried}
            if None not in said.values(): best.append(max(tried, key=said.get))
    for seed in SEEDS[1:]: yield from (o._replace(seed=seed) for o in best)

@cache
def table(key, work):
    "The images of a set, with their splits"
    from medprog.data.table import read_table
    from real import few
    data = Path(os.environ.get('DATA', Path(__file__).parent/'../../../shared/data')).resolve()
    if key=='retina': return read_table(data/'retinamnist.npz', size=SETS[key])
    csv,cols = ('fundus_multilabel', dict(label_cols=LABELS)) if key.startswith('fundus') else ('chest_xray', {})
    return read_table(few(data/csv/'labels.csv', work, key, int(key.split('_')[1]), **cols), size=SETS[key], **cols)

def log_probs(probs):
    "As float16: ranks survive it, and so does AUROC to 1e-4"
    return np.log(np.clip(probs.double().numpy(), 1e-30, 1)).astype('float16')

def carry_out(job, work):
    "Train, and keep predictions of the last and the best epoch on validation and test, figures of each epoch, and time"
    from fastai.callback.core import Callback
    from fastai.torch_core import set_seed
    from medprog.data.loaders import image_dls
    from medprog.evaluate.metrics import AUROC
    from medprog.schedule import resolve_schedule
    from medprog.train import SeedEpochs
    from real import learner

    class Best(Callback):
        "Keeps the weights of the best epoch on validation"
        order,best = 100,-1.
        def after_epoch(self):
            if self.recorder.values and (now := self.recorder.values[-1][-1])>self.best:
                self.best,self.epoch_ = now,self.epoch
                self.weights = {k: v.clone() for k,v in self.model.state_dict().items()}

    t,arm = table(job.set, work),ARMS[job.arm]
    set_seed(job.seed, reproducible=True)
    learn = learner(image_dls(t, bs=32, num_workers=0))
    learn.metrics,best = [AUROC()],Best()
    s = resolve_schedule(arm.strategy, EPOCHS, 'scale', lr=job.lr, profile=arm.profile, statistics=arm.statistics)
    at,cpu = time.perf_counter(),time.process_time()
    with learn.no_bar(), learn.no_logging():
        learn.fit_progressive(EPOCHS, s, precision='fp32', cbs=[SeedEpochs(job.seed), best])
    res = dict(seconds=time.perf_counter()-at, cpu=time.process_time()-cpu, best=best.epoch_,
               history=[list(map(float, o)) for o in learn.recorder.values])
    def predictions(when):
        with learn.no_bar():
            return {f'{k}_{when}': log_probs(learn.get_preds(ds_idx=i)[0]) for i,k in ((1,'valid'), (2,'test'))}
    arrays = predictions('last')
    learn.model.load_state_dict(best.weights)
    arrays |= predictions('best')
    return res,arrays

def collect(folder, path):
    "All runs of a folder as one file: facts, predictions, and the truth with the patients, without images or names"
    resumable.collect(folder, path, {k: table(k, folder) for k in SETS})

def told(facts): return f"{facts['cpu']:.0f} s, validation {facts['history'][-1][-1]:.3f}"

if __name__=='__main__':
    folder,n = Path(sys.argv[1]).resolve(),int(sys.argv[2]) if len(sys.argv)>2 else 2
    folder.mkdir(parents=True, exist_ok=True)
    for k in SETS: table(k, folder)                            # files are made once
    table.cache_clear()
    sys.exit(resumable.work_off(folder, n, partial(jobs, folder), partial(carry_out, work=folder), told))

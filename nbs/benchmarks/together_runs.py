"""The runs of `together.ipynb`: `python together_runs.py FOLDER [JOBS]` carries out those that are not in FOLDER yet,
JOBS at a time (2), one thread each, and goes on where it was stopped; with `collect` for JOBS it makes
`together_runs.npz` of them.

Written down on 2026-11-29, before the first of these runs.

Question: what does each of these alone gain for a network that was trained by `balanced`, and what does it cost: the
exponential moving average of weights (`ema`), the average of the last epochs (`tail`), the mean over an image and its
mirror image (`tta`), the mean of five networks (`ensemble`)? Two real sets: 500 chest X-rays (64 px, official test,
two classes) and RetinaMNIST (48 px, nine in ten of its training images, five classes). Ten seeds, each with a draw of
training patients of its own; validation and test as they are; about 300 steps of 16 images a run; the network is
EfficientNet-Lite0 with ImageNet's weights, the rate 1e-3, phases in proportion, everything else as by default.
Members 1 to 4 of a seed differ from member 0 in the head they begin with, in batches and in augmentation.
The answer of a run is that of its last epoch, so that validation chooses nothing; `tta` is the mean of probabilities,
and `ensemble` that of five after each one's temperature, which validation gives, as in the product.
Figures: AUROC on the test split, macro, and log loss; the method less none (member 0; for the ensemble also less the
mean of its five members), mean of ten seeds, bootstrap over seeds and test patients. Time: processor seconds of
training beside those of none, in the same study, and steps of prediction.
Rule: `average` is other than none by default only if the lower bound of its gain in AUROC is above 0 on both sets.
The question was changed: never.
"""
import json,os,sys
for o in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ[o] = '1'
from pathlib import Path
from typing import NamedTuple
from resumable import collect,work_off
from auto_runs import BS,table

STEPS,SEEDS,MEMBERS = 300,range(10),range(5)
CHOSEN,AVERAGES = ('chest_500', 'retina'),('none', 'ema', 'tail')

class Job(NamedTuple):
    "A run"
    set:str
    seed:int
    member:int
    average:str
    @property
    def name(self): return f"{self.set}-{self.seed}-{self.member}-{self.average}"

def jobs():
    "Those whose times are compared come last, so that they can be run alone"
    others = [Job(k, seed, m, 'none') for seed in SEEDS for k in CHOSEN for m in MEMBERS[1:]]
    return others+[Job(k, seed, 0, average) for seed in SEEDS for k in CHOSEN for average in AVERAGES]

def carry_out(job):
    "Train, and say what the last epoch makes of the images of validation and test, and of their mirror images"
    from fastai.torch_core import set_seed
    from medprog.schedule import resolve_schedule
    from real import decoded_dls,learner,logits,timed_fit
    seed = 100*job.seed+job.member
    set_seed(seed, reproducible=True)
    dls = decoded_dls(table(job.set, job.seed), BS)
    learn,epochs = learner(dls),round(STEPS/len(dls.train))
    seconds = timed_fit(learn, resolve_schedule('balanced', epochs, fit='scale'), seed, average=job.average)
    views = dict(image=lambda x: x, mirror=lambda x: x.flip(-1))
    said = {f'{split}_{k}': logits(learn.model, dls, i, view)
            for k,view in views.items() for i,split in ((1,'valid'), (2,'test'))}
    return dict(epochs=epochs, steps=epochs*len(dls.train), images=len(dls.train_ds), training=seconds),said

if __name__=='__main__':
    folder,n = Path(sys.argv[1]).resolve(),sys.argv[2] if len(sys.argv)>2 else '2'
    folder.mkdir(parents=True, exist_ok=True)
    if n!='collect': sys.exit(work_off(folder, int(n), jobs, carry_out, json.dumps))
    collect(folder, Path(__file__).with_name('together_runs.npz'), {k: table(k, 0) for k in CHOSEN})

"""Random weights, both ways: `python statistics_random.py CSV [ARCH EPOCHS]` trains on the phantom, as the README's
first command does, with statistics that were measured before the first epoch kept and with the batch's, five seeds
each, two at a time with a thread each, and writes test AUROC. Fixed before it ran."""
import os,sys,warnings
for o in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ[o] = '1'
import multiprocessing as mp
import pandas as pd

def carry_out(job):
    "A run; its figures"
    warnings.filterwarnings('ignore')
    import torch
    torch.set_num_threads(1)
    from fastai.torch_core import set_seed
    from medprog.all import Recipe,auroc,image_dls,progressive_learner,recipe_table
    from medprog.train import SeedEpochs
    arch,epochs,statistics,seed = job
    set_seed(seed, reproducible=True)
    t = recipe_table(Recipe(seed=seed))
    learn = progressive_learner(image_dls(t, bs=32, num_workers=0), arch, weights='none')
    with learn.no_bar(), learn.no_logging():
        learn.fit_progressive(epochs, 'balanced', statistics=statistics, cbs=SeedEpochs(seed))
        probs = learn.get_preds(ds_idx=2)[0].double().numpy()
    test,valid = float(auroc(probs, t.targets('test'))),[o[2] for o in learn.recorder.values]
    res = dict(arch=arch, epochs=epochs, statistics=statistics, seed=seed,
               test=test, valid_last=valid[-1], valid_best=max(valid))
    print(res, flush=True)
    return res

if __name__=='__main__':
    arch,epochs = sys.argv[2:] or ('resnet50', 30)
    jobs = [(arch, int(epochs), s, seed) for seed in range(5) for s in ('batch', 'kept')]
    with mp.get_context('spawn').Pool(2) as pool: rows = pool.map(carry_out, jobs, 1)
    pd.DataFrame(rows).to_csv(sys.argv[1], index=False)

"""How features are best scaled before the ridge of a probe: `python probe_scaling.py` writes `probe_scaling.csv`, the
mean AUROC (percent) of what is left out, of validation and of test over three draws of training patients."""
import os,sys
from pathlib import Path
import numpy as np
import pandas as pd
import torch
from medprog.data.loaders import image_dls
from medprog.data.table import read_table
from medprog.evaluate.metrics import auroc
from medprog.evaluate.ridge import fit_ridge
from medprog.network.pooled import PooledStages
from real import network

DATA = Path(os.environ.get('DATA', Path(__file__).parent/'../../../shared/data')).resolve()
SETS = dict(chest=('chest_xray/labels.csv', 64, {}), retina=('retinamnist.npz', 48, {}),
            fundus=('fundus_multilabel/labels.csv', 48, dict(label_cols=tuple('NDGCAHMO'))))
ENDS = ['blocks.1', 'blocks.2', 'blocks.4', 'bn2']

def features(file, size, cols):
    "By split: features by stage of image and mirror image, targets, patients"
    t,stages,out = read_table(DATA/file, size=size, check=False, **cols),PooledStages(network().eval(), ENDS),{}
    dls = image_dls(t, bs=64, num_workers=0, augment=False)
    for i,split in enumerate(('train', 'valid', 'test')):
        views = [[torch.cat([stages.pools(o)[k] for o in (x, x.flip(-1))]).unflatten(0, (2, -1)).transpose(0, 1)
                  for k in range(4)]
                 for x in (x.as_subclass(torch.Tensor) for x,_ in dls[i].new(shuffle=False, drop_last=False))]
        x = [torch.cat(o).double().numpy() for o in zip(*views)]
        rows = t.df[t.df.split==split]
        out[split] = x,np.asarray(t.targets(split)),rows.patient.factorize()[0]
    return out

def scaled(kind, blocks):
    "What features of stages are divided by"
    sds = [o.reshape(-1, o.shape[-1]).std(0) for o in blocks]
    if kind=='each': return [np.where(o>0, o, 1) for o in sds]
    if kind=='none': return [np.ones_like(o) for o in sds]
    if kind=='root': return [np.where(o>0, o, 1)**.5 for o in sds]
    total = [np.sqrt((o**2).sum()) if kind=='block' else np.sqrt((o**2).mean()) for o in sds]
    return [np.full_like(o, t) for o,t in zip(sds, total)]

def answer(got, n, draw, kind, first):
    "AUROC of what is left out, of validation and of test"
    blocks,y,who = got['train']
    order = np.random.default_rng(draw).permutation(who.max()+1)
    taken = order[np.bincount(who)[order].cumsum()<=n]
    idxs = np.flatnonzero(np.isin(who, taken))
    own = [o[idxs] for o in blocks[first:]]
    factors,mean = np.concatenate(scaled(kind, own)),np.concatenate(own, -1).mean((0, 1))
    def z(blocks): return (np.concatenate(blocks[first:], -1)-mean)/factors
    size = np.sqrt((z([None]*first+own)**2).sum(-1).mean())
    hot = y if y.ndim==2 else np.eye(y.max()+1)[y]
    rows = z([None]*first+own)/size
    fit = fit_ridge(rows.reshape(-1, rows.shape[-1]), np.repeat(hot[idxs], 2, 0), np.repeat(who[idxs], 2))
    def area(said, targs): return 100*auroc(said.mean(1), targs)
    left = fit.left_out.reshape(len(idxs), 2, -1)
    others = (got[k] for k in ('valid', 'test'))
    return [area(left, y[idxs]), *(area(z(x)/size@fit.weight, targs) for x,targs,_ in others)]

if __name__=='__main__':
    with torch.no_grad(): got = {k: features(*o) for k,o in SETS.items()}
    rows = []
    kinds = ('each', 1), ('none', 1), ('root', 1), ('block', 1), ('blockmean', 1), ('block', 0), ('each', 3)
    for kind,first in kinds:
        for k in SETS:
            for n in (500, 100):
                loo,valid,test = np.mean([answer(got[k], n, draw, kind, first) for draw in range(3)], 0).round(1)
                rows.append(dict(scaling=kind, lowest=('early', 'layer2', 'layer3', 'layer4')[first], set=f'{k}_{n}',
                                 loo=loo, valid=valid, test=test))
                print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(Path(sys.argv[0]).with_suffix('.csv'), index=False)

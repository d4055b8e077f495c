"""Errors of what is done beside training: scoring, distillation, reports."""

from .messages import Messages


class StepErrors(metaclass=Messages):
    # Scoring
    E100 = (
        "The labels of {title!r} are {status!r}, so a correct prediction would count as an error. "
        "Score complete documents only (set_relations(…, status='complete'), saved with "
        "DocBin(store_user_data=True)), or allow it: allow_incomplete = true in the scorer, --allow-incomplete on the "
        "command line."
    )
    E102 = "{model} has no docre_relations component, so it finds no relations. Its pipeline: {pipeline}."
    E103 = "No relation in the documents of {path}, so there are no facts to write."
    E104 = (
        "{path}: the labels of {title!r} are {status!r}, so they don't tell how often a label is true. Name completely "
        "labelled documents first."
    )
    E101 = "{path}: can't read facts. Expected JSON: [[head name, tail name, label], …]; found {found}."

    # Distillation
    E110 = (
        "Teacher {teacher!r} does not know {n} of the student's labels: {missing}. Give the student the teacher's "
        "labels ([initialize.components.docre_relations] labels), or train the teacher on these labels too."
    )
    E111 = "Soft labels of {teacher!r}: logits {found} do not fit its entities and labels, expected {expected}."
    E112 = (
        "Can't read {path}, which says what lies beside it and whether it is finished: {reason}. Start again with "
        "--overwrite; or, if that file belongs to something else, move it out of the corpus."
    )
    E113 = "{path} lacks files that its manifest lists: {files}. Put them back, or annotate again with --overwrite."
    E114 = (
        "{path} is not finished: {n_docs} documents so far. Start `python -m spacy docre annotate` again with the same "
        "arguments; it goes on where it stopped."
    )
    E115 = (
        "Teachers {first!r} and {second!r} have different labels, so their logits can't stand beside each other: "
        "{labels}. Train them with the same labels (are they names here and ids there?)."
    )
    E116 = (
        "{path} has content that no earlier run has written: {found}. Choose a new or empty folder, or delete what is "
        "there."
    )
    E117 = (
        "{path} was begun differently. Changed: {changed}. Go on with what it was begun with, or start anew with "
        "--overwrite."
    )
    E118 = (
        "The component's loss, {loss}, takes targets of 0 and 1 only, and teachers give others. Choose one for soft "
        'ones (AdaptiveFocal, ZLPR, BCE, …), or mode = "teacher_union" in the component\'s targets.'
    )
    E119 = "The logits of student {student} and teacher {teacher} must have the same shape (n_pairs, 1 + n_labels)."
    E120 = (
        "{source} was not trained on these labels, so its weights don't fit: {missing}. Leave them out of the training "
        "data, or train {source} with them, from a JSON file of all labels: [initialize.components.docre_relations."
        'labels] @readers = "spacy-docre.TeacherLabels.v1", path = FILE (in configs/docre_pretrain.cfg).'
    )
    E121 = (
        "The weights of {component!r} in {source} don't fit this pipeline: {reason}. Its block "
        "[components.{component}.model] must be the same in both configs (encoder, layers, widths): give both the same "
        "--vars.encoder, --vars.encoder_layers and the like."
    )
    E122 = "{source} has no component {component!r}. Its pipeline: {pipeline}."
    E125 = (
        "Two teachers have one name, so their logits can't be told apart: {names}. Name each model once; in Python, "
        "Teacher(model, name=…) gives it another name."
    )
    E126 = (
        "{output} and {input} lie within each other, so the output would be read as input. Write to a folder beside it."
    )
    E127 = (
        "Calibration needs completely labelled documents, and the labels of {title!r} are {status!r}: what nobody "
        "labelled there may hold all the same. Take dev documents (`spacy docre convert` without --labels-are)."
    )
    E131 = (
        "{name} takes its mentions from doc.spans[{key!r}], which a document does not have; it has: {found}. Put the "
        "component that finds mentions before {name}, or set spans_key (null takes doc.ents)."
    )
    E132 = (
        "Calibration gives a scale of {scale:.2f}: higher margins do not mean that more holds. Train the pipeline "
        "longer, or take documents with the labels that it knows."
    )
    E133 = "No threshold gives a precision of {wanted}: the highest on these documents is {highest:.3f}."
    E134 = "{path} exists. Choose another folder for the pipeline, or pass --overwrite."
    E135 = "{path} is there and is no pipeline, so it will not be replaced. Choose another folder, or delete it first."
    E136 = "The plots ({plots}) would lie within the pipeline ({output}). Name another folder for them."
    E137 = (
        "--predictions is for DocRED's official evaluation, which numbers the data's entities and sentences: leave "
        "--own-entities out."
    )
    E138 = (
        "{path} has files that are not as its manifest says, by their checksum: {files}. They were changed, or broken "
        "in copying: copy them again, or annotate again with --overwrite."
    )
    E140 = (
        "{options} has no effect for {target}. Labels, their status and spaces are set on the way from .json to "
        ".spacy (from .jsonl labels, status and language), predictions written on the way back. Leave it out."
    )
    E139 = "--card says what goes into the meta.json that --meta writes: name that file with --meta too."
    E130 = (
        "Scoring clusters needs scipy, which solves their best alignment: pip install 'spacy-docre[evaluate]', or pip "
        "install scipy."
    )
    E128 = (
        "Calibration needs documents with relations whose labels the pipeline knows, found none. Are labels names here "
        "and ids there (`spacy docre convert --labels`)?"
    )
    E152 = "{option} has no effect beside {other}: leave one of them out."
    E141 = "{path} is no .spacy file. Convert it first: `python -m spacy docre convert {path} {target}`."
    E142 = (
        "The pipeline knows none of the labels in {path}: {given} there, {known} here. Were both converted with the "
        "same --labels?"
    )

    E143 = (
        "{labelled} has none of the labels of {complete}: {given} there, {true} here. Were both converted with the "
        "same --labels?"
    )
    E144 = (
        "None of {n_docs} documents has two entities, so a teacher has nothing to say of them. Documents need their "
        "entities (set_entities, or doc.ents); for raw text let a pipeline find them first: `python -m spacy docre "
        "apply MODEL TEXTS found.spacy`, then annotate found.spacy."
    )
    E145 = (
        "Teacher {teacher!r} gives no numbers (nan) for {n} of {size} logits of {title!r}. In float16 a model may "
        'overflow: set precision = "float32" (or "bfloat16") in its config. Else its training has failed.'
    )
    E146 = (
        "{title!r} has {n_found} entities for the student and {n_wanted} for the teacher, or has them in another "
        "order, so that their pairs are not the same. Give both sides of an Example the same entities (set_entities)."
    )
    E148 = "Soft labels are written to a folder, and {path} looks like a file: leave .spacy out of its name."

    E156 = (
        "No fact of {path} is between two entities of one of the {n_docs} documents. Facts are [head name, tail name, "
        "label], in this order, with names spelt as in the documents."
    )
    E157 = (
        "No row of {path} has the title of a document, so all would be without labels: {there!r} there, {here!r} here, "
        "the first of each."
    )
    E158 = (
        "No relation in {path}, so it says nothing of how often labels are left out. Name the documents with "
        "incomplete labels; documents without labels need no priors."
    )
    E159 = "{path} is the output of a training, not a pipeline itself. Name {there}."
    E160 = (
        "{path} is no trained pipeline, but {problem}. Name a folder that `spacy train` or nlp.to_disk wrote, or an "
        "installed package. The pipeline comes first, then the documents."
    )

    # Reports
    E123 = "Plots need matplotlib, which is not installed: pip install 'spacy-docre[report]', or pip install matplotlib"
    E124 = "No scores in {path}. Expected NAME.json files that `python -m spacy docre evaluate --output` writes."
    E161 = (
        "{path} is there and is nothing that `docre {command}` writes, so it will not be replaced. Choose another "
        "name, or delete it first."
    )
    E162 = (
        "{output} lies within {path}, which has documents that were annotated already: who reads that folder would "
        "read both. Write to a folder beside it."
    )

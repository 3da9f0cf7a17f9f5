; What C++ adds.

(class_specifier name: (_) @name body: (_)) @class
(namespace_definition name: (_) @name) @namespace
(namespace_alias_definition name: (_) @name) @type
(alias_declaration name: (type_identifier) @name) @type
(concept_definition name: (identifier) @name) @type

; Member functions, constructors and templates that are only declared.
(field_declaration_list (declaration declarator: (_) @declarator) @variable)
(field_declaration_list (field_declaration declarator: [
  (function_declarator)
  (pointer_declarator)
  (reference_declarator)
] @declarator) @variable)
(template_declaration (declaration declarator: (_) @declarator) @variable)

(template_declaration (_) @inner .) @outer

; What TypeScript adds.

(class_declaration name: (type_identifier) @name) @class
(abstract_class_declaration name: (type_identifier) @name) @class
(interface_declaration name: (type_identifier) @name) @interface
(enum_declaration name: (identifier) @name) @enum
(type_alias_declaration name: (type_identifier) @name) @type
(internal_module name: (_) @name) @namespace
(module name: (_) @name) @namespace

(public_field_definition
  name: (_) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @method
(abstract_method_signature name: (_) @name) @method
(interface_body (method_signature name: (_) @name) @method)

; Overloads and ambient functions have no body.
(class_body (method_signature name: (_) @name) @declaration)
(function_signature name: (identifier) @name) @declaration

(ambient_declaration (lexical_declaration kind: "const" (variable_declarator name: (identifier) @name) @constant))
(ambient_declaration (variable_declaration (variable_declarator name: (identifier) @name) @variable))

(ambient_declaration (_) @inner) @outer
(class_body (decorator) @lead . (_) @led)
